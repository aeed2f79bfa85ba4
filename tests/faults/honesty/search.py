"""The first seed on which a patch shows. Each search has a process of its own."""

from __future__ import annotations

from itertools import chain

from tests.faults.honesty.catalogue import BY_NAME
from tests.faults.sim import batch

MOST = 1000
"""A run of normal length: what `make test` has."""


def search(name: str, *, is_known: bool = False) -> int:
    """The seed that violates the invariant which the patch must violate; -1 if none does.

    The one that the catalogue names comes first if it `is_known` to show it.
    """
    patch = BY_NAME[name]
    known = [patch.seed] if is_known else []
    for outcome in batch.each(chain(known, range(MOST)), patch=name):
        if patch.invariant in {invariant for invariant, _ in outcome.wrong}:
            return outcome.seed
    return -1
