"""`telar verify`: what differs is named, with the command that mends it; what holds is not."""

import json
import shlex
from typing import Any

import pytest

from cli.operator.verify import verify
from tests.unit.cli.operator_api import (
    NOTHING_WAITS,
    Script,
    build,
    page,
    stream,
    stretch,
)


def findings(script: Script, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    code = verify(script.session(), settle=0.0)
    told = json.loads(capsys.readouterr().out)
    assert code == (0 if told["holds"] else 1)
    assert told["holds"] == (not told["findings"])
    found: list[dict[str, Any]] = told["findings"]
    return found


def test_where_everything_holds_nothing_is_found(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    assert findings(script, capsys) == []


def test_what_was_looked_at_is_told(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    verify(script.session(), settle=0.0)
    looked = json.loads(capsys.readouterr().out)["looked"]
    assert looked == {
        "hash chains": 4,
        "positions": 5,
        "topics": 12,
        "sums": 4,
        "what waits": 0,
        "views": 4,
    }


def test_a_consumer_that_stays_behind_is_named(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    script.says("GET trade/streams", page(stream("trade", enrollment=[1, "enrollment-1"])))
    [one] = findings(script, capsys)
    assert (one["code"], one["service"], one["topic"]) == ("behind", "trade", "enrollment")
    mend = 'telar resend --topic enrollment --key=ana --from 2 --reason "trade lacks it"'
    assert one["mend"] == mend


def test_a_consumer_that_never_heard_of_a_key_is_named(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    script.says("GET gateway/streams", page())
    assert [one["topic"] for one in findings(script, capsys)] == [
        "enrollment",
        "grants",
        "trade",
        "training",
    ]


def test_what_is_only_on_its_way_is_no_finding(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    late = page(stream("trade", enrollment=[1, "enrollment-1"]))
    script.says("GET trade/streams", late, page(stream("trade")))
    assert findings(script, capsys) == []


def test_a_busy_key_that_moves_is_no_finding(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    at = [page(stream("trade", enrollment=[n, f"enrollment-{n}"])) for n in (1, 2, 3)]
    script.says("GET trade/streams", *at)
    assert findings(script, capsys) == []


def test_another_event_under_one_number_is_a_fork(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    script.says("GET trade/streams", page(stream("trade", training=[3, "another"])))
    [one] = findings(script, capsys)
    assert (one["code"], one["topic"]) == ("fork", "training")
    assert one["mend"].startswith(
        "telar resend --topic training --key=ana --from 3 --to 3 --reason"
    )


def test_a_publisher_that_knows_less_than_its_consumers_was_restored(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    script.says("GET grants/streams", page(stream("grants", grants=[2, "grants-2"])))
    script.says("GET grants/topic", stretch(ana=[[1, 2]]))
    [one] = findings(script, capsys)
    assert (one["code"], one["service"]) == ("ahead", "grants")
    assert one["mend"].startswith("telar adopt topic grants --reason ")


def wait(script: Script, why: str, fork: dict[str, Any] | None = None, *held: Any) -> None:
    """A key of trade waits after the first event of training, which has published three."""
    row = stream("trade", training=[1, "training-1"]) | {"parked": ["training"]}
    waits = {"topic": "telar.training", "key": "a na", "reason": why, "code": "", "head": 2}
    script.says("GET trade/streams", page(row | {"key": "a na"}))
    for name in ("enrollment", "training", "grants", "gateway"):
        script.says(f"GET {name}/streams", page(stream(name) | {"key": "a na"}))
    for name in ("enrollment", "training", "grants", "trade"):
        script.says(f"GET {name}/topic", stretch(**{"a na": [[1, 3]]}))
    script.says("GET trade/parked", page(waits))
    whole = waits | {"position": [1, "x"], "fork": fork, "events": list(held)}
    script.says("GET trade/parked/one", whole)


@pytest.mark.parametrize(
    ("why", "mend"),
    [
        ("dead", ["parked", "retry", "trade", "--topic", "training", "--key=a na"]),
        ("failed", ["parked", "retry", "trade", "--topic", "training", "--key=a na"]),
        ("gap", ["resend", "--topic", "training", "--key=a na", "--from", "2"]),
        (
            "fork",
            ["adopt", "fork", "trade", "--topic", "training", "--key=a na", "--branch", "kept"],
        ),
    ],
)  # fmt: skip
def test_a_parked_key_is_named_once_with_what_mends_it(
    script: Script, capsys: pytest.CaptureFixture[str], why: str, mend: list[str]
) -> None:
    wait(script, why, {"sequence": 4, "id": "e4", "digest": "y"})
    [one] = findings(script, capsys)
    assert (one["code"], one["detail"]) == ("parked", f"{why} after 1")
    assert shlex.split(one["mend"]) == [
        "telar",
        *mend,
        "--reason",
        f"parked in trade: {why} after 1",
    ]


ADOPT = "telar adopt fork trade --topic training '--key=a na' --branch"


@pytest.mark.parametrize(
    ("fork", "mend"),
    [
        ({"sequence": 1, "digest": "y"}, "telar resend --topic training '--key=a na' --from 1"),
        ({"sequence": 1, "digest": "x"}, f"{ADOPT} kept"),
        ({"sequence": 2, "digest": "y"}, f"{ADOPT} kept"),
        ({"sequence": 3, "id": "e3", "digest": "y"}, f"{ADOPT} kept"),
        ({"sequence": 0, "digest": "0"}, f"{ADOPT} arrived --from 1 --previous 0"),
    ],
)
def test_what_is_named_for_a_fork_is_what_can_end_it(
    script: Script, capsys: pytest.CaptureFixture[str], fork: dict[str, Any], mend: str
) -> None:
    """An event that is not here is sent again first, where that can show it."""
    wait(script, "fork", fork)
    [one] = findings(script, capsys)
    assert one["mend"].startswith(f"{mend} --reason ")


def at(number: int, digest: str, previous: str = "") -> dict[str, Any]:
    return {"sequence": number, "id": f"e{number}", "digest": digest, "previous": previous}


THIRD, SECOND = at(3, "training-3", "own-2"), at(2, "own-2")


@pytest.mark.parametrize(
    ("fork", "held", "position", "branch"),
    [
        (at(4, "y"), [], 3, "kept"),  # its publisher gave no such number yet
        (at(3, "y"), [], 3, "kept"),  # nor this event
        (at(3, "training-3"), [], 3, "arrived --from 3"),
        (at(3, "training-3"), [], 2, "arrived --from 3"),
        (SECOND, [THIRD], 1, "arrived --from 2"),  # the next one tells what came before it
        (at(2, "y"), [THIRD], 1, "kept"),
        (at(2, "y"), [at(3, "foreign", "y")], 1, None),
        (SECOND, [], 1, None),
    ],
)
def test_an_event_that_its_publisher_did_not_give_is_never_to_be_applied(
    script: Script,
    capsys: pytest.CaptureFixture[str],
    *,
    fork: dict[str, Any],
    held: list[Any],
    position: int,
    branch: str | None,
) -> None:
    wait(script, "fork", fork, *held)
    script.answers["GET trade/parked/one"][0][1]["position"] = [position, "x"]
    [one] = findings(script, capsys)
    if branch is None:
        assert one["mend"] == "docs/runbooks/adopt.md#a-fork-at-a-consumer"
    else:
        assert one["mend"].startswith(f"{ADOPT} {branch} --reason ")


def test_where_the_publisher_stands_is_asked_after_what_waits_was_seen(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it published meanwhile is no foreign event."""
    wait(script, "fork", at(4, "training-4"))
    script.answers["GET trade/parked/one"][0][1]["position"] = [3, "x"]
    earlier, later = (stream("training", training=[n, f"training-{n}"]) for n in (3, 4))
    pages = [page(one | {"key": "a na"}) for one in (earlier, earlier, later)]
    script.says("GET training/streams", *pages)
    [one] = findings(script, capsys)
    assert one["mend"].startswith(f"{ADOPT} arrived --from 4 ")


def test_a_gap_that_closes_meanwhile_is_no_finding(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    wait(script, "gap")
    script.says("GET trade/parked", page({"topic": "t", "key": "k", "reason": "gap"}), page())
    assert findings(script, capsys) == []


def test_a_key_that_is_released_meanwhile_is_no_finding_and_hides_none(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    backlog = NOTHING_WAITS | {"deadlines": 2}
    script.says("GET enrollment", {"service": "enrollment", "backlog": backlog})
    script.says("GET trade/parked", page({"topic": "t", "key": "k", "reason": "failed"}))
    script.says("GET trade/parked/one", {"code": "parked-unknown"}, status=404)
    assert [one["code"] for one in findings(script, capsys)] == ["deadlines-dead"]


def test_what_was_found_before_a_service_refused_is_told(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    backlog = NOTHING_WAITS | {"deadlines": 2}
    script.says("GET enrollment", {"service": "enrollment", "backlog": backlog})
    script.says("GET trade", {"code": "not-found"}, status=404)
    assert [one["code"] for one in findings(script, capsys)] == ["deadlines-dead", "unreachable"]


def test_deadlines_that_were_given_up_are_named(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    backlog = NOTHING_WAITS | {"deadlines": 2}
    script.says("GET grants", {"service": "grants", "backlog": backlog})
    [one] = findings(script, capsys)
    assert (one["code"], one["detail"]) == ("deadlines-dead", "2 given up")


def test_a_broken_chain_is_named(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    script.says(
        "GET grants/chains",
        page({"key": "ana", "sequence": 2, "problem": "hash"}, checked=1),
    )
    [one] = findings(script, capsys)
    assert (one["code"], one["service"], one["key"]) == ("log-wrong", "grants", "ana")


def test_money_that_does_not_add_up_is_named(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    script.says("GET grants/checks", [{"code": "pool-sum", "subject": "p1"}])
    [one] = findings(script, capsys)
    assert (one["code"], one["key"], one["detail"]) == ("sum-wrong", "p1", "pool-sum")


def test_records_in_quarantine_are_a_note(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    backlog = NOTHING_WAITS | {"quarantined": 2}
    script.says("GET training", {"service": "training", "backlog": backlog})
    assert verify(script.session(), settle=0.0) == 0
    [note] = json.loads(capsys.readouterr().out)["notes"]
    assert note.endswith("telar quarantine list training")


def test_a_view_that_differs_from_one_made_anew_is_named(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    other = {"collection": "people", "id": "ana", "what": "counts"}
    script.says("GET gateway/rebuild", build("compared", other))
    [one] = findings(script, capsys)
    assert (one["code"], one["detail"], one["mend"]) == (
        "view-differs",
        "people: counts",
        'telar rebuild --reason "views differ"',
    )


def test_views_that_could_not_be_made_are_not_mended_by_making_them_again(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    keeps = {"collection": "streams", "id": "ana", "what": "trade at 3 of 5"}
    script.says("GET gateway/rebuild", build("failed", keeps) | {"code": "rebuild-behind"})
    found = findings(script, capsys)
    assert [(one["key"], one["detail"]) for one in found] == [
        ("", "rebuild-behind"),
        ("ana", "streams: trade at 3 of 5"),
    ]
    assert {one["mend"] for one in found} == {"docs/runbooks/rebuild.md#a-build-that-fails"}


def test_what_could_not_be_looked_at_is_no_success(
    script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    script.says("GET trade/chains", {"code": "not-found"}, status=404)
    [one] = findings(script, capsys)
    assert (one["code"], one["service"]) == ("unreachable", "hash chains")


def test_without_views_nothing_is_built(script: Script) -> None:
    verify(script.session(), views=False, settle=0.0)
    assert not script.bodies("POST gateway/rebuild")


def test_text_says_that_all_holds(script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(script.session(as_json=False), settle=0.0) == 0
    told = capsys.readouterr()
    assert told.out == "All holds\n"
    assert "✓ positions: 5" in told.err
