"""Commit to effect: percentiles from the services' histograms, of this run alone."""

from collections import Counter
from itertools import pairwise

from cli.demo.invariants import Operations


def gained(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """What a counter gained; one that is lower than before began anew with its process."""
    restarted = any(after.get(name, 0) < number for name, number in before.items())
    base = {} if restarted else before
    return {name: number - base.get(name, 0) for name, number in after.items()}


def effects(before: Operations, after: Operations) -> dict[float, int]:
    """Effects of this run in all services: cumulative counts by upper bound in seconds."""
    total: Counter[float] = Counter()
    for name, one in after.services.items():
        earlier = before.services[name]["effect_buckets"]
        for bound, number in gained(earlier, one["effect_buckets"]).items():
            total[float(bound)] += number
    return dict(sorted(total.items()))


def percentile(buckets: dict[float, int], share: float) -> float | None:
    """By linear interpolation inside the bucket, as Prometheus does; None without effects."""
    if not buckets or not (count := max(buckets.values())):
        return None
    wanted = share * count
    steps = [(0.0, 0), *sorted(buckets.items())]
    for (low, below), (high, upto) in pairwise(steps):
        if upto >= wanted and upto > below:
            if high == float("inf"):
                return low
            return low + (high - low) * (wanted - below) / (upto - below)
    return None
