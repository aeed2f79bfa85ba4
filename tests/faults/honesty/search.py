"""The first seed on which a patch shows. Each search has a process of its own."""

from __future__ import annotations

from tests.faults.honesty.catalogue import BY_NAME
from tests.faults.sim import batch

MOST = 1000
"""A run of normal length: what `make test` has."""


def search(name: str) -> int:
    """The seed that violates the invariant which the patch must violate; -1 if none does."""
    expected = BY_NAME[name].invariant
    for outcome in batch.each(range(MOST), patch=name):
        if expected in {invariant for invariant, _ in outcome.wrong}:
            return outcome.seed
    return -1
