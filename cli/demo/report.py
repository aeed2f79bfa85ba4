"""What the demo shows at its end: counts, one woman's thread, the flow, the invariants."""

import re
from typing import Any

from rich.console import Console

from cli import show
from cli.demo.invariants import SERVICES
from cli.demo.outcome import Outcome


def report(console: Console, outcome: Outcome) -> None:
    """Everything, as tables."""
    _counts(console, outcome)
    _thread(console, outcome)
    _flow(console, outcome)
    _checks(console, outcome)


def _head(console: Console, text: str) -> None:
    console.print(f"\n{text}", style="bold", markup=False, highlight=False)


def _counts(console: Console, outcome: Outcome) -> None:
    _head(console, f"{outcome.women} women in {outcome.seconds:.1f} s (run {outcome.run_id})")
    rows = [
        (thing, end, str(number))
        for thing, ends in outcome.counts.items()
        for end, number in ends.items()
    ]
    show.table(console, ("what", "where it ended", "how many"), rows)
    calls = ", ".join(f"{number} {name}" for name, number in sorted(outcome.calls.items()))
    console.print(f"Calls of the public API: {calls}", markup=False, highlight=False)


def _thread(console: Console, outcome: Outcome) -> None:
    _head(console, "One woman's thread")
    rows = [
        (entry["at"][11:23], entry["service"], entry["fact"], _details(entry["details"]))
        for entry in outcome.thread
    ]
    show.table(console, ("at", "service", "fact", "details"), rows)


def _details(details: dict[str, Any]) -> str:
    """Codes and amounts; of ids only what tells them apart."""
    shown = (f"{n}={_short(n, value)}" for n, value in details.items() if not n.endswith("_id"))
    text = " ".join(shown)
    return text if len(text) <= _WIDTH else f"{text[: _WIDTH - 1]}…"


def _short(name: str, value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int() if name == "amount":  # centavos
            return f"${value // 100:,}.{value % 100:02}"
        case str() if name.endswith("_at"):
            return value[11:19]
        case list():
            return ",".join(_short("", one) for one in value)
    return _UUID.sub(r"\1", str(value))


_UUID = re.compile(r"\b([0-9a-f]{8})(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_WIDTH = 60


def _flow(console: Console, outcome: Outcome) -> None:
    _head(console, "The events that ran")
    readers = [one for one in SERVICES if any(flow.applied.get(one) for flow in outcome.flows)]
    heads = ("event", "published", *(f"→ {name}" for name in readers))
    rows = [
        (
            flow.type.removeprefix("telar.").removesuffix(".v1"),
            str(flow.published),
            *(str(flow.applied.get(one, "")) for one in readers),
        )
        for flow in outcome.flows
    ]
    show.table(console, heads, rows)
    shown = {name: _seconds(value) for name, value in outcome.effect_seconds.items()}
    text = f"Commit to effect in another service: p50 {shown['p50']}, p99 {shown['p99']}"
    console.print(text, markup=False, highlight=False)


def _seconds(value: float | None) -> str:
    return "unknown" if value is None else f"{value * 1000:.0f} ms"


def _checks(console: Console, outcome: Outcome) -> None:
    _head(console, "What must be true")
    rows = [("ok" if one.holds else "bad", one.name, one.found) for one in outcome.checks]
    show.table(console, ("", "invariant", "found"), rows)
    end = "Every invariant holds." if outcome.holds else "An invariant is violated."
    console.print(f"\n{end}", style="green" if outcome.holds else "red", markup=False)
