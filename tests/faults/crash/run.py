"""The command line of a campaign: run it on servers of its own, print, keep the row, fail."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from tests.faults.crash import report
from tests.faults.crash.campaign import Campaign
from tests.faults.crash.lab import Lab
from tests.faults.crash.plans import Harm
from tests.faults.orderly import stops_when_told
from tests.faults.runner import record

Missing = Callable[[Campaign], list[str]]
"""What should have been reached and was not."""

EVERY = 30.0
"""Seconds between two lines of progress."""


def run(scenario: str, title: str, harm: Harm, times: int, missing: Missing) -> None:
    """Run, and exit 1 if anything was wrong or never reached."""
    asked = argparse.ArgumentParser(prog=scenario)
    asked.add_argument("--lanes", type=int, default=8, help="pairs of services at once")
    asked.add_argument("--times", type=int, default=times, help="at each place")
    asked.add_argument("--most", type=int, help="in all, at the most")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument(
        "--record", action="store_true", help="keep the row in results/ if all was reached"
    )
    options = asked.parse_args()
    if options.record and options.most:
        asked.error("a part of a campaign is no result")
    started = time.monotonic()
    stops_when_told()
    with tempfile.TemporaryDirectory(prefix="crash-") as folder, Lab(Path(folder) / "lab") as lab:
        campaign = Campaign(lab, Path(folder), harm, seed=options.seed, times=options.times)
        asyncio.run(_watched(campaign, campaign.run(options.lanes, options.most)))
    row = report.row(scenario, title, campaign, time.monotonic() - started)
    missed: list[str] = [] if options.most else missing(campaign)
    sys.stdout.write(f"{report.table(campaign)}\n")
    seldom: list[str] = [] if options.most else row["notes"]["seldom"]
    sys.exit(not judged(row, missed, seldom, keep=options.record))


def judged(
    row: dict[str, Any], missed: Sequence[str], seldom: Sequence[str] = (), *, keep: bool
) -> bool:
    """Print what came of it and keep it if all was reached, good or not; whether it was good too.

    Good is none that met a place less often than it was asked to.
    """
    sys.stdout.write(f"{row['commands']}, recovery {row['recovery_s']}, {row['seconds']} s\n")
    sys.stdout.writelines(f"never reached: {one}\n" for one in missed)
    sys.stdout.writelines(f"met too seldom: {one}\n" for one in seldom)
    sys.stdout.writelines(f"VIOLATION {one}\n" for one in row["violations"])
    if keep and not missed:
        sys.stdout.write(f"{record(row)}\n")
    return not (missed or seldom or row["violations"])


async def _watched(campaign: Campaign, body: Coroutine[Any, Any, None]) -> None:
    """Run it, and say twice a minute how far it is: a whole run takes an hour."""
    work, started, told = asyncio.create_task(body), time.monotonic(), 0
    while not (await asyncio.wait([work], timeout=EVERY))[0]:
        sys.stderr.write(f"{time.monotonic() - started:.0f} s: {campaign.progress()}\n")
        wrong = campaign.violations()
        sys.stderr.writelines(f"VIOLATION {one}\n" for one in wrong[told:])
        told = len(wrong)
    await work
