"""`python -m tests.faults.sim`: seeds of the simulated core, in as many processes as are asked."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

from tests.faults.orderly import stops_when_told, workers
from tests.faults.sim import batch
from tests.faults.sim.report import Outcome, Total

CHUNK = 100


def main() -> None:
    """Run seeds, print what was done and found; 1 if anything was violated."""
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is part of a seed
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.faults.sim", *sys.argv[1:]])
    stops_when_told()
    parser = argparse.ArgumentParser(prog="python -m tests.faults.sim")
    parser.add_argument("--seeds", default="0:1000", help="first:last+1")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--trace", action="store_true", help="print what happens")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--digests", action="store_true", help="print what each came to, hashed")
    parser.add_argument("--patch", default="", help="break the product in one known way")
    parser.add_argument("--record", action="store_true", help="keep the row in results/")
    options = parser.parse_args()
    if options.record and options.patch:
        parser.error("what a broken product did is no result")
    if options.seed is not None:
        seeds = range(options.seed, options.seed + 1)
    else:
        seeds = range(*map(int, options.seeds.split(":")))
    started, total = time.monotonic(), Total()
    run = partial(batch.part, trace=options.trace, patch=options.patch)
    for outcomes in _parts(seeds, options.jobs, run):
        total.add(outcomes)
    seconds = time.monotonic() - started
    sys.stdout.write(total.text(seeds, seconds))
    if options.record:
        # Not at the top: the processes of the seeds begin here too, before the product is patched.
        from tests.faults.runner import record

        record(total.row(seeds, seconds))
    if options.digests:
        sys.stdout.write("\n".join(total.digests) + "\n")
    sys.exit(1 if total.failed else 0)


def _parts(
    seeds: range, jobs: int, run: Callable[[range], list[Outcome]]
) -> Iterator[list[Outcome]]:
    parts = [seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)]
    if len(parts) == 1:
        yield run(parts[0])
        return
    with workers(jobs) as pool:
        yield from pool.map(run, parts)


if __name__ == "__main__":
    main()
