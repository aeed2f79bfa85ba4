"""Seeds one after another in one process, which is theirs: the core's clocks are replaced in it."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tests.faults.honesty.catalogue import BY_NAME
from tests.faults.honesty.patching import Patched

if TYPE_CHECKING:
    from tests.faults.sim.report import Outcome


def part(seeds: range, *, trace: bool = False, patch: str = "") -> list[Outcome]:
    """Run these, with the product as it is or with one patch."""
    return list(each(seeds, trace=trace, patch=patch))


def each(seeds: Iterable[int], *, trace: bool = False, patch: str = "") -> Iterator[Outcome]:
    """The same, one by one."""
    product = Patched(BY_NAME[patch] if patch else None)
    product.install()
    from tests.faults.sim import run, world
    from tests.faults.sim.adapters import asked

    world.install()
    servers = asked(
        product.source("shared.chassis.mongo.store"), product.source("shared.chassis.kafka.bus")
    )
    warnings.simplefilter("ignore", RuntimeWarning)  # what a dead process never awaited
    gc.disable()
    gc.freeze()  # what is imported stays, and need not be looked at again and again
    for number, seed in enumerate(seeds):
        yield run.run(seed, servers, trace=trace)
        if number % 20 == 19:
            gc.collect()
