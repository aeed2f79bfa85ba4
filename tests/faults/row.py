"""One run as a row of `tests/faults/results`: faults made and observed, commands, violations."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import quantiles

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Row:
    """What one run did and saw."""

    scenario: str
    seed: int
    made: Mapping[str, int]
    """Faults that were ordered, by kind."""
    observed: Mapping[str, int]
    """Faults that were seen to happen, by kind."""
    accepted: int
    refused: int
    unknown: int
    violations: Sequence[str]
    recovery_ms: Mapping[str, int]
    """From the fault until everything had taken effect: p50 and p95."""
    seconds: int
    hits: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Where: by path, then by call."""

    def append(self) -> Path:
        """Add it to the file of its scenario."""
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{self.scenario}.json"
        rows = json.loads(path.read_text()) if path.exists() else []
        path.write_text(json.dumps([*rows, asdict(self)], indent=1, sort_keys=True) + "\n")
        return path


def percentiles(seconds: Iterable[float]) -> dict[str, int]:
    """The median and the 95th percentile in milliseconds."""
    sorted_ones = sorted(seconds)
    if len(sorted_ones) < 2:
        return {"p50": 0, "p95": 0}
    cuts = quantiles(sorted_ones, n=20)
    return {"p50": round(cuts[9] * 1000), "p95": round(cuts[18] * 1000)}
