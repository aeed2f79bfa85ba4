"""The operator's commands against a gateway that is only a script."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import usage
from cli.app import app
from cli.operator import api as calls
from cli.operator import flow, parked, rebuild
from cli.operator.api import Denied
from cli.operator.session import Session
from shared.chassis.auth import Verifier
from shared.chassis.tokens import JWKS
from tests.unit.cli.operator_api import Script, build, page

RUN = CliRunner()
ANA = parked.Key("grants", "enrollment", "ana o'hara")
WAITS = {"topic": "telar.enrollment", "key": "ana o'hara", "reason": "dead", "code": "x"}


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    monkeypatch.setattr(calls, "_PAUSE", 0.0)
    monkeypatch.setattr(flow, "_GLANCE", 0.0)
    monkeypatch.setattr(rebuild, "_GLANCE", 0.0)
    return Script(tmp_path)


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    "command",
    [
        ["parked", "list"],
        ["parked", "show", "grants", "--topic", "trade", "--key", "k"],
        ["parked", "retry", "grants", "--topic", "trade", "--key", "k", "--reason", "why"],
        ["quarantine", "list"],
        ["quarantine", "show", "grants", "trade/0/1"],
        ["adopt", "topic", "grants", "--reason", "why"],
        ["resend", "--topic", "trade", "--key", "k", "--from", "1", "--reason", "why"],
        ["lag"],
        ["verify"],
        ["rebuild", "--reason", "why"],
        ["backfill", "grants", "telar.trade.x.v1", "--reason", "why"],
    ],
)
def test_without_a_stack_an_operator_hears_so(tmp_path: Path, command: list[str]) -> None:
    done = RUN.invoke(app, [*command, "--data-dir", str(tmp_path)])
    assert done.exit_code == usage.NOT_RUNNING, done.output


@pytest.mark.parametrize(
    "command",
    [
        ["parked", "retry", "grants", "--topic", "trade", "--key", "k"],
        ["parked", "skip", "grants", "--topic", "t", "--key", "k", "--reason", "w",
         "--number", "0"],
        ["adopt", "fork", "grants", "--topic", "t", "--key", "k", "--reason", "w", "--from", "1",
         "--branch", "best"],
        ["resend", "--topic", "trade", "--key", "k", "--reason", "why"],
        ["rebuild"],
    ],
)  # fmt: skip
def test_a_command_wants_its_options(tmp_path: Path, command: list[str]) -> None:
    assert RUN.invoke(app, [*command, "--data-dir", str(tmp_path)]).exit_code == 2


@pytest.mark.parametrize(
    "command",
    [
        ["parked", "list", "grant"],
        ["parked", "show", "grant", "--topic", "trade", "--key", "k"],
        ["quarantine", "list", "grant"],
        ["quarantine", "show", "grant", "trade/0/1"],
        ["adopt", "topic", "grant", "--reason", "why"],
        ["resend", "--topic", "grant", "--key", "k", "--from", "1", "--reason", "why"],
        ["resend", "--topic", "telar.grant", "--key", "k", "--from", "1", "--reason", "why"],
        ["backfill", "grant", "telar.trade.x.v1", "--reason", "why"],
    ],
)
def test_a_service_that_there_is_not_is_told_with_those_there_are(
    tmp_path: Path, command: list[str]
) -> None:
    done = RUN.invoke(app, [*command, "--data-dir", str(tmp_path)], env={"COLUMNS": "300"})
    assert done.exit_code == 2
    assert "no service 'grant'; there are enrollment, gateway, grants" in done.output


def test_a_command_carries_a_token_and_one_key_however_often_it_is_repeated(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    script.says("POST grants/parked/retry", WAITS | {"outcome": "released", "position": 4})
    script.first_says("POST grants/parked/retry", 503, {"code": "outcome-unknown"})
    assert parked.retried(script.session(), ANA, "handler mended") == usage.OK
    first, second = script.asked
    assert first[1] == {
        "topic": "telar.enrollment",
        "key": "ana o'hara",
        "reason": "handler mended",
    }
    assert first[2]["idempotency-key"] == second[2]["idempotency-key"]
    assert first[2]["authorization"].startswith("Bearer ")
    assert printed(capsys)["outcome"] == "released"


@pytest.mark.parametrize(
    ("login", "subject"),
    [
        ("ana", "ana"),
        ("JSmith", "jsmith"),
        ("john.smith", "john-smith"),
        ("CORP\\José", "corp-jos"),
        ("_apt", "apt"),
        ("a" * 70, "a" * 64),
        ("...", "operator"),
        ("", "operator"),
    ],
)
def test_whoever_runs_a_command_has_a_name_that_a_service_accepts(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str, subject: str
) -> None:
    monkeypatch.setattr(calls.getpass, "getuser", lambda: login)
    script.says("GET grants/lag", [])
    script.api.get("grants/lag")
    [(_, _, headers)] = script.asked
    verifier = Verifier(tmp_path / "keys" / JWKS)
    assert verifier.caller(headers["authorization"]).subject == subject


def test_two_commands_have_two_keys(script: Script) -> None:
    script.says("POST grants/parked/retry", WAITS | {"outcome": "released"})
    for _ in range(2):
        parked.retried(script.session(), ANA, "why")
    first, second = script.asked
    assert first[2]["idempotency-key"] != second[2]["idempotency-key"]


def test_a_key_that_still_waits_is_exit_code_one(script: Script) -> None:
    script.says("POST grants/parked/skip", WAITS | {"outcome": "failed"})
    assert parked.skipped(script.session(), ANA, 7, 9, "why") == usage.FAILED
    said = script.bodies("POST grants/parked/skip")[0]
    assert (said["sequence"], said["last"]) == (7, 9)


def test_a_refusal_is_told_by_its_code_and_not_repeated(script: Script) -> None:
    script.says("POST grants/parked/skip", {"code": "skip-not-next"}, status=409)
    with pytest.raises(Denied, match="skip-not-next"):
        parked.skipped(script.session(), ANA, 7, 9, "why")
    assert len(script.asked) == 1


def test_nobody_there_is_told_after_some_patience(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "PATIENCE", 0.0)
    script.says("GET grants/lag", {"code": "upstream-unavailable"}, status=503)
    with pytest.raises(Denied, match="upstream-unavailable"):
        script.api.get("grants/lag")


@pytest.mark.parametrize(
    ("status", "code"), [(429, "operator-rate"), (409, "idempotency-in-progress")]
)
def test_an_order_waits_for_its_turn_and_until_it_is_done(
    script: Script,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    status: int,
    code: str,
) -> None:
    monkeypatch.setattr(calls, "PATIENCE", -1.0)
    script.says("POST trade/resend", {"sent": 4, "head": 720})
    for _ in "12":
        script.first_says("POST trade/resend", status, {"code": code})
    assert flow.resend(script.session(), "trade", "k", (9, None), "why") == usage.OK
    assert capsys.readouterr().err.count("waits") == 1


class Clock:
    """Time that passes only while somebody sleeps: a minute a time."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, _: float) -> None:
        self.now += 60.0


@pytest.mark.parametrize(("failures", "ends"), [(1, True), (2, False)])
def test_a_failure_after_a_long_wait_is_met_with_the_same_patience(
    script: Script, monkeypatch: pytest.MonkeyPatch, failures: int, *, ends: bool
) -> None:
    """What may take a quarter of an hour breaks off now and then on its way."""
    monkeypatch.setattr(calls, "time", Clock())
    busy, broken = (409, {"code": "idempotency-in-progress"}), (504, {"code": "upstream-timeout"})
    stretch = [busy, busy, *[broken] * failures]
    script.answers["POST trade/adopt-topic"] = [*stretch, *stretch, (200, {"keys": 3})]
    if ends:
        assert flow.adopt_topic(script.session(), "trade", "why") == usage.OK
    else:
        with pytest.raises(Denied, match="upstream-timeout"):
            flow.adopt_topic(script.session(), "trade", "why")


def test_an_order_is_not_waited_for_longer_than_was_promised(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "time", Clock())
    busy, broken = (409, {"code": "idempotency-in-progress"}), (504, {"code": "upstream-timeout"})
    script.answers["POST trade/adopt-topic"] = [busy, broken] * 20
    with pytest.raises(Denied, match="idempotency-in-progress"):
        flow.adopt_topic(script.session(), "trade", "why")
    assert len(script.asked) == 17


def test_an_order_waits_for_its_turn_no_longer_than_a_minute(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(calls.WAITS, "operator-rate", -1.0)
    script.says("POST trade/resend", {"code": "operator-rate"}, status=429)
    with pytest.raises(Denied, match="operator-rate"):
        flow.resend(script.session(), "trade", "k", (9, None), "why")


def test_parked_keys_of_all_services_page_by_page(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("enrollment", "training", "trade", "gateway"):
        script.says(f"GET {name}/parked", page())
    first, second = {**WAITS, "key": "a"}, {**WAITS, "key": "b"}
    script.says("GET grants/parked", {"items": [first], "next": "c1"}, page(second))
    assert parked.listed(script.session(), None, "dead") == usage.OK
    assert [(one["service"], one["key"]) for one in printed(capsys)] == [
        ("grants", "a"),
        ("grants", "b"),
    ]
    asked = script.bodies("GET grants/parked")
    assert [one.get("cursor") for one in asked] == [None, "c1"]
    assert {one["reason"] for one in asked} == {"dead"}


def test_tables_are_plain_lines_where_there_is_no_terminal(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    script.says("GET grants/parked", page(WAITS))
    parked.listed(script.session(as_json=False), "grants", None)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["service", "topic", "key"]
    assert "ana o'hara" in lines[1]


def test_resend_names_the_key_and_the_stretch(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    script.says("POST trade/resend", {"sent": 4, "head": 720})
    assert flow.resend(script.session(), "telar.trade", "k", (9, 12), "why") == usage.OK
    flow.resend(script.session(), "trade", "k", (9, None), "why")
    assert script.bodies("POST trade/resend") == [
        {"key": "k", "first": 9, "last": 12, "reason": "why"},
        {"key": "k", "first": 9, "reason": "why"},
    ]
    assert json.loads(capsys.readouterr().out.split("}")[0] + "}")["sent"] == 4


def test_lag_is_exit_code_one_when_somebody_is_behind(script: Script) -> None:
    row = {"topic": "telar.trade", "partition": 0, "behind": 0}
    for name in ("enrollment", "training", "grants", "trade", "gateway"):
        script.says(f"GET {name}/lag", [row])
    assert flow.lag(script.session()) == usage.OK
    script.says("GET gateway/lag", [{**row, "behind": 3}])
    assert flow.lag(script.session()) == usage.FAILED


@pytest.mark.parametrize(
    ("failures", "code"),
    [([], usage.OK), ([{"key": "k", "sequence": 1, "code": "x"}], usage.FAILED)],
)
def test_backfill_waits_until_it_is_over(script: Script, failures: list[Any], code: int) -> None:
    kind = "telar.trade.x.v1"
    counted: dict[str, Any] = {"events": 10, "applied": 3, "failures": []}
    row: dict[str, Any] = {"type": kind, "state": "waiting", **counted}
    script.says("POST grants/backfill", row)
    done = row | {"state": "done", "failures": failures}
    running = row | {"state": "running"}
    script.says("GET grants/backfill", page(row), page(running), page(done))
    assert flow.backfill(script.session(), "grants", kind, "why") == code


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (build("swapped"), usage.OK),
        (build("failed"), usage.FAILED),
        (build("compared", {"collection": "people"}), usage.FAILED),
    ],
)
def test_rebuild_waits_and_tells_what_came_of_it(
    script: Script, seen: dict[str, Any], code: int
) -> None:
    script.says("POST gateway/rebuild", {})
    script.says("GET gateway/rebuild", build("building"), seen)
    assert rebuild.rebuild(script.session(), "why") == code
    assert script.bodies("POST gateway/rebuild") == [{"mode": "swap", "reason": "why"}]


def test_a_denied_command_is_one_line_and_data(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from cli.operator import session

    monkeypatch.setattr(usage, "running", script.is_up)
    monkeypatch.setattr(session.Api, "of", script.connect)
    script.says("GET grants/parked/one", {"code": "parked-unknown"}, status=404)
    work: Callable[[Session], int] = lambda on: parked.shown(on, ANA)  # noqa: E731
    assert session.run(tmp_path, work, as_json=True) == usage.FAILED
    told = capsys.readouterr()
    assert json.loads(told.out) == {"error": "parked-unknown"}
    assert told.err.startswith("✗ parked-unknown")


def test_what_fails_is_let_pass_with_a_reason(script: Script) -> None:
    script.says("POST grants/breaker/pass", {"until": "2026-03-02T12:10:00Z"})
    assert flow.let_pass(script.session(), "grants", "trade 1.9") == usage.OK
    assert script.bodies("POST grants/breaker/pass") == [{"reason": "trade 1.9"}]
