"""What a run came to, as data: the same numbers for people and for programs."""

from dataclasses import asdict, dataclass
from typing import Any

from cli.demo.invariants import SERVICES, Check, Operations
from cli.demo.latency import effects, gained, percentile


@dataclass(frozen=True)
class Flow:
    """One type of event in this run: how many were published, and applied by whom."""

    type: str
    published: int
    applied: dict[str, int]


@dataclass(frozen=True)
class Outcome:
    """Everything that the demo found."""

    run_id: str
    women: int
    seconds: float
    calls: dict[str, int]
    counts: dict[str, dict[str, int]]
    """By thing, by where it ended."""
    thread: list[dict[str, Any]]
    """One woman's timeline, as the gateway tells it."""
    flows: list[Flow]
    effect_seconds: dict[str, float | None]
    checks: list[Check]

    @property
    def holds(self) -> bool:
        """Whether every invariant does."""
        return all(check.holds for check in self.checks)

    def data(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "ok": self.holds}


def flows(before: Operations, after: Operations) -> list[Flow]:
    """Who published and who applied how many of what in this run."""
    published: dict[str, int] = {}
    applied: dict[str, dict[str, int]] = {}
    for name in SERVICES:
        then, now = before.services[name], after.services[name]
        for kind, number in gained(then["types_published"], now["types_published"]).items():
            published[kind] = published.get(kind, 0) + number
        for kind, number in gained(then["types_applied"], now["types_applied"]).items():
            if number and not kind.startswith(f"telar.{name}."):
                applied.setdefault(kind, {})[name] = number
    kinds = sorted({kind for kind, number in published.items() if number} | set(applied))
    return [Flow(kind, published.get(kind, 0), applied.get(kind, {})) for kind in kinds]


def effect_seconds(before: Operations, after: Operations) -> dict[str, float | None]:
    """Decided in one service until committed in another, in this run."""
    buckets = effects(before, after)
    return {"p50": percentile(buckets, 0.5), "p99": percentile(buckets, 0.99)}
