"""`python -m tests.faults.honesty [NAME …]`: does the checker find what is known to be broken?

Each patch of the catalogue breaks the product in memory; the simulation is run on it, seed after
seed, until the expected invariant is violated. Then the same seed is run without the patch and
must violate nothing.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from tests.faults.honesty.catalogue import BY_NAME, PATCHES
from tests.faults.honesty.patching import Patch
from tests.faults.honesty.search import MOST, search
from tests.faults.sim import batch


def main() -> None:
    """Try the named patches, or all; 1 if one was not found in its invariant."""
    os.environ["PYTHONHASHSEED"] = "0"  # for the processes of the seeds
    patches = [BY_NAME[name] for name in sys.argv[1:]] or list(PATCHES)
    with ProcessPoolExecutor(2, get_context("spawn"), max_tasks_per_child=1) as pool:
        seeds = list(pool.map(search, [patch.name for patch in patches]))
        found = [(patch, seed) for patch, seed in zip(patches, seeds, strict=True) if seed >= 0]
        clean = list(pool.map(batch.part, [range(seed, seed + 1) for _, seed in found]))
    ok = 0
    for patch, seed in zip(patches, seeds, strict=True):
        ok += _tell(patch, seed, clean.pop(0)[0].wrong if seed >= 0 else [])
    sys.stdout.write(f"{ok} of {len(patches)}\n")
    sys.exit(ok != len(patches))


def _tell(patch: Patch, seed: int, control: list[tuple[str, str]]) -> bool:
    found = f"seed {seed}" if seed >= 0 else f"not in {MOST} seeds"
    without = "-" if seed < 0 else f"violates {control[0]}" if control else "clean"
    sys.stdout.write(f"{patch.name:<34}{patch.invariant:<13}{found:<18}without it {without}\n")
    return seed >= 0 and not control


if __name__ == "__main__":
    main()
