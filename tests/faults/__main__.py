"""python -m tests.faults SCENARIO… [--full] [--seed N]: make faults, look at what comes of them."""

import argparse
import asyncio
import json
import sys
import traceback

from tests.faults import orderly, scenarios
from tests.faults.runner import SCENARIOS, broken, record, run


def main() -> None:
    """Run the named scenarios one after another; a full run goes to the results, good or not."""
    assert scenarios.__doc__
    orderly.stops_when_told()
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("names", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--full", action="store_true", help="the sizes of docs/reliability.md")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--list", action="store_true")
    asked = parser.parse_args()
    if asked.list:
        for one in SCENARIOS.values():
            print(f"{one.name:<16}{one.title}")  # noqa: T201
        return
    held = [_one(name, asked) for name in asked.names or SCENARIOS]
    sys.exit(int(not all(held)))


def _one(name: str, asked: argparse.Namespace) -> bool:
    try:
        row = asyncio.run(run(SCENARIOS[name], full=asked.full, seed=asked.seed))
    except Exception as error:  # of this scenario: the others run all the same
        traceback.print_exc()
        row = broken(SCENARIOS[name], asked.seed, error, full=asked.full)
    print(json.dumps(row, indent=1))  # noqa: T201
    sys.stdout.flush()
    if asked.full:
        record({name: value for name, value in row.items() if name != "folder"})
    return not row["violations"]


if __name__ == "__main__":
    main()
