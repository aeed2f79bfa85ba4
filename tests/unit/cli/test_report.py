"""What the demo shows of what it found: short, and never without saying what is cut."""

from io import StringIO
from typing import Any

from rich.console import Console

from cli.demo.invariants import Check
from cli.demo.outcome import Flow, Outcome
from cli.demo.report import report

COURSE = "7cfaaaae-517b-58f9-9c0e-0d5d6c3b2a10"


def shown(*details: dict[str, Any], **applied: int) -> str:
    thread = [
        {"at": "2026-03-02T12:00:01.250Z", "service": "grants", "fact": "a-fact", "details": one}
        for one in details
    ]
    outcome = Outcome(
        run_id="run-1",
        women=1,
        seconds=1.0,
        calls={"GET": 1},
        counts={"seat": {"confirmed": 1}},
        thread=thread,
        flows=[Flow("telar.grants.award-offered.v1", 3, applied)],
        effect_seconds={"p50": 0.021, "p99": None},
        checks=[Check("nothing parked", True, "0 everywhere")],
    )
    told = StringIO()
    report(Console(file=told), outcome)
    return told.getvalue()


def test_a_fact_is_told_in_pesos_hours_and_short_ids() -> None:
    text = shown(
        {"award_id": "a-1", "amount": 4_000_005, "expires_at": "2026-03-02T12:00:03Z"},
        {"met": False, "leaves": ["enrolled=met", f"course:{COURSE}=unmet"]},
    )
    assert "12:00:01.250  grants   a-fact  amount=$40,000.05 expires_at=12:00:03\n" in text
    assert "met=no leaves=enrolled=met,course:7cfaaaae=unmet\n" in text


def test_what_is_too_long_says_that_it_is_cut() -> None:
    assert f"text={'x' * 54}…\n" in shown({"text": "x" * 80})


def test_only_services_that_applied_something_have_a_column() -> None:
    lines = shown({}, gateway=3).splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("event"))
    assert lines[head].split() == ["event", "published", "→", "gateway"]
    assert lines[head + 1].split() == ["grants.award-offered", "3", "3"]
    assert "Commit to effect in another service: p50 21 ms, p99 unknown" in lines
