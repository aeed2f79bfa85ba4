"""What many seeds came to, in the words of a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SHOWN = 10


@dataclass
class Outcome:
    """What became of a seed."""

    seed: int
    wrong: list[tuple[str, str]]
    made: Counter[str]
    struck: Counter[str]
    """Of those, the faults that took effect: each counts once."""
    observed: Counter[str]
    """Single effects, of which one fault may have hundreds."""
    accepted: int
    commands: int
    repeats: int
    rested: float
    """Virtual seconds from healing to rest."""
    digest: str
    """Of all evidence: the same seed gives the same."""
    unknown: int = 0
    """Commands whose client was never told."""


class Total:
    """The sum of the seeds so far."""

    def __init__(self) -> None:
        self.failed: list[Outcome] = []
        self.made: Counter[str] = Counter()
        self.struck: Counter[str] = Counter()
        self.observed: Counter[str] = Counter()
        self.seeds = self.commands = self.accepted = self.repeats = self.unknown = 0
        self.rested: list[float] = []
        self.digests: list[str] = []

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Some more."""
        for one in outcomes:
            self.seeds += 1
            self.made += one.made
            self.struck += one.struck
            self.observed += one.observed
            self.commands += one.commands
            self.accepted += one.accepted
            self.repeats += one.repeats
            self.unknown += one.unknown
            self.rested.append(one.rested)
            self.digests.append(one.digest)
            if one.wrong:
                self.failed.append(one)

    def _rest(self) -> tuple[float, float, float]:
        """Virtual seconds from healing to rest: the median, the 95th of a hundred, the most."""
        rested = sorted(self.rested)
        return rested[len(rested) // 2], rested[len(rested) * 95 // 100], rested[-1]

    def row(self, seeds: range, seconds: float) -> dict[str, Any]:
        """The run as a row of `tests/faults/results`: its trials are the seeds, not the faults."""
        half, nearly, most = self._rest()
        return {
            "scenario": "simulation",
            "title": "The core on virtual time, a history of faults a seed",
            "seed": f"{seeds.start} to {seeds.stop - 1}",
            "sizes": {"seeds": self.seeds},
            "trials": {"seeds": self.seeds},
            "faults": {
                kind: {"made": count, "observed": self.struck[kind]}
                for kind, count in sorted(self.made.items())
            },
            "consequences": dict(sorted(self._consequences().items())),
            "commands": {
                "accepted": self.accepted,
                "unknown": self.unknown,
                "repeats": self.repeats,
            },
            "recovery_s": {"p50": half, "p95": nearly, "max": most, "n": self.seeds},
            "violations": [f"seed {one.seed}: {one.wrong[0]}" for one in self.failed],
            "seconds": round(seconds),
            "full": True,
        }

    def _consequences(self) -> Counter[str]:
        """What the faults led to, without those that are called as their only effect."""
        return Counter({kind: n for kind, n in self.observed.items() if kind not in self.made})

    def text(self, seeds: range, seconds: float) -> str:
        """The report."""
        rate = self.seeds / max(seconds, 0.001)
        half, nearly, most = self._rest()
        lines = [
            f"seeds {seeds.start}:{seeds.stop} in {seconds:.1f} s ({rate:.0f} a second)",
            f"commands {self.commands}, accepted {self.accepted}, unknown {self.unknown},",
            f"asked again {self.repeats}",
            f"faults made      {_counts(self.made)}",
            f"took effect      {_counts(self.struck)}",
            f"led to           {_counts(self._consequences())}",
            f"at rest after    p50 {half:.0f} s, p95 {nearly:.0f} s, most {most:.0f} s (virtual)",
            f"violations       {len(self.failed)} seeds",
        ]
        for one in self.failed[:SHOWN]:
            lines.append(f"  seed {one.seed}: python -m tests.faults.sim --seed {one.seed} --trace")
            lines += [f"    {invariant}: {text[:300]}" for invariant, text in one.wrong[:4]]
        return "\n".join(lines) + "\n"


def _counts(counter: Counter[str]) -> str:
    told = ", ".join(f"{kind} {count}" for kind, count in counter.most_common())
    return f"{sum(counter.values())}: {told}"
