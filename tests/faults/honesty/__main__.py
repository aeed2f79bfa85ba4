"""`python -m tests.faults.honesty [NAME …]`: does the checker find what is known to be broken?

Each patch of the catalogue breaks the product in memory; the simulation is run on it, seed after
seed, until the expected invariant is violated. Then the same seed is run without the patch and
must violate nothing. `--record` keeps what came of it for docs/reliability.md.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from tests.faults.honesty.catalogue import BY_NAME, PATCHES
from tests.faults.honesty.patching import Patch
from tests.faults.honesty.search import MOST, search
from tests.faults.orderly import stops_when_told, workers
from tests.faults.sim import batch


def main() -> None:
    """Try the named patches, or all; 1 if one was not found in its invariant."""
    os.environ["PYTHONHASHSEED"] = "0"  # for the processes of the seeds
    stops_when_told()
    parser = argparse.ArgumentParser(prog="python -m tests.faults.honesty")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BY_NAME))
    parser.add_argument("--record", action="store_true", help="keep the row in results/")
    asked = parser.parse_args()
    patches = [BY_NAME[name] for name in asked.names] or list(PATCHES)
    with workers(2, tasks=1) as pool:
        seeds = list(pool.map(search, [patch.name for patch in patches]))
        found = [(patch, seed) for patch, seed in zip(patches, seeds, strict=True) if seed >= 0]
        clean = list(pool.map(batch.part, [range(seed, seed + 1) for _, seed in found]))
    told = [
        _tell(patch, seed, clean.pop(0)[0].wrong if seed >= 0 else [])
        for patch, seed in zip(patches, seeds, strict=True)
    ]
    good = sum(one["good"] for one in told)
    sys.stdout.write(f"{good} of {len(patches)}\n")
    if asked.record:
        # Not at the top: the processes of the seeds begin here too, before the product is patched.
        from tests.faults.runner import record

        record({"scenario": "honesty", "patches": told})
    sys.exit(good != len(patches))


def _tell(patch: Patch, seed: int, control: list[tuple[str, str]]) -> dict[str, Any]:
    found = f"seed {seed}" if seed >= 0 else f"not in {MOST} seeds"
    without = "-" if seed < 0 else f"violates {control[0]}" if control else "clean"
    sys.stdout.write(f"{patch.name:<34}{patch.invariant:<13}{found:<18}without it {without}\n")
    return {
        "patch": patch.name,
        "invariant": patch.invariant,
        "found": found,
        "without": without,
        "good": seed >= 0 and not control,
    }


if __name__ == "__main__":
    main()
