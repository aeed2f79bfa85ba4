"""`python -m tests.faults.honesty [NAME …]`: does the checker find what is known to be broken?

Each patch of the catalogue breaks the product in memory; the simulation is run on it, seed after
seed, until the expected invariant is violated. Then the same seed is run without the patch and
must violate nothing. `--record` keeps what came of it for docs/reliability.md. `--known` is for
`make test`, which runs all these seeds without a patch anyway: it does not, and tries the seed
first that the catalogue names.
"""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
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
    parser.add_argument("--known", action="store_true", help="known seeds first, no controls")
    asked = parser.parse_args()
    if asked.record and asked.known:
        parser.error("without its controls it is no result")
    patches = [BY_NAME[name] for name in asked.names] or list(PATCHES)
    with workers(2, tasks=1) as pool:
        look = partial(search, is_known=asked.known)
        seeds = list(pool.map(look, [patch.name for patch in patches]))
        controls = sorted({seed for seed in seeds if seed >= 0 and not asked.known})
        clean = pool.map(batch.part, [range(seed, seed + 1) for seed in controls])
        wrong = {seed: one.wrong for seed, [one] in zip(controls, clean, strict=True)}
    told = [_tell(patch, seed, wrong.get(seed)) for patch, seed in zip(patches, seeds, strict=True)]
    good = sum(one["good"] for one in told)
    sys.stdout.write(f"{good} of {len(patches)}\n")
    if asked.record:
        # Not at the top: the processes of the seeds begin here too, before the product is patched.
        from tests.faults.runner import record

        record({"scenario": "honesty", "patches": told})
    sys.exit(good != len(patches))


def _tell(patch: Patch, seed: int, control: list[tuple[str, str]] | None) -> dict[str, Any]:
    found = f"seed {seed}" if seed >= 0 else f"not in {MOST} seeds"
    without = "-" if control is None else f"violates {control[0]}" if control else "clean"
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
