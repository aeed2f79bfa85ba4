"""How much is run: `BENCH=quick` to see that it works, `BENCH=full` for figures of record."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Sizes and lengths of the measures. Seconds, events, keys."""

    name: str
    rounds: int = 5
    events: int = 30_000
    people: int = 5_000
    slow_seconds: float = 5.0
    """A peer with a transaction per event is stopped after so long: its rate is steady."""
    commands: int = 4_000
    idle_commands: int = 300
    effect_seconds: float = 10.0
    keys: tuple[int, ...] = (1_000, 100_000, 1_000_000)
    keys_events: int = 12_000
    keys_rounds: int = 3
    """And one before them that does not count."""
    backlog: int = 200_000
    backlog_rounds: int = 2
    proxied: int = 1_000
    catch_up: int = 200_000
    steady_seconds: float = float(os.environ.get("BENCH_STEADY_SECONDS", "60"))
    """1800 is the length of the promise; what was run is written down."""
    sweep_seconds: float = 4.0
    sweep_rounds: int = 3


FULL = Plan("full")
QUICK = Plan(
    "quick",
    rounds=1,
    events=5_000,
    people=1_000,
    slow_seconds=4.0,
    commands=1_000,
    idle_commands=50,
    effect_seconds=4.0,
    keys=(1_000, 20_000),
    keys_events=5_000,
    keys_rounds=1,
    backlog=20_000,
    backlog_rounds=1,
    proxied=100,
    catch_up=20_000,
    steady_seconds=5.0,
    sweep_seconds=3.0,
    sweep_rounds=1,
)


def plan() -> Plan:
    """The one that was asked for."""
    return {"quick": QUICK, "full": FULL}[os.environ.get("BENCH", "full")]
