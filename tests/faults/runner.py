"""Scenarios by name, each with a quick and a full size and a time that it may take."""

import asyncio
import json
import logging
import random
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local.processes import DiedEarly
from tests.faults.trial import Body, Trial, recovery
from tests.support.cluster import Cluster, Shape
from tools.git import git

RESULTS = Path(__file__).parent / "results"
ROOT = Path(__file__).parents[2]
WRITTEN = ("tests/faults/results", "docs/reliability.md")
"""What a run changes itself."""


Around = Callable[[Cluster], AbstractAsyncContextManager[Any]]


@dataclass(frozen=True)
class Scenario:
    """One kind of fault, in two sizes."""

    name: str
    title: str
    body: Body
    quick: Mapping[str, Any]
    full: Mapping[str, Any]
    shape: Shape
    bounds: tuple[float, float]
    start: Mapping[str, int] = field(default_factory=dict)
    """How many instances of a service run at first, if not all."""
    daily: bool = True
    """Whether its quick size is part of `make test`."""
    around: Around | None = None
    """What must be there before the cluster starts: a wire in between, a small disk."""
    idle: bool = False
    """Whether no command is under way when its faults are made."""


SCENARIOS: dict[str, Scenario] = {}


def scenario(
    title: str,
    *,
    quick: Mapping[str, Any],
    full: Mapping[str, Any],
    bounds: tuple[float, float],
    shape: Shape | None = None,
    start: Mapping[str, int] | None = None,
    around: Around | None = None,
    daily: bool = True,
    idle: bool = False,
) -> Callable[[Body], Body]:
    """Register a scenario under the name of its function."""

    def register(body: Body) -> Body:
        name = body.__name__.replace("_", "-")
        shape_, start_ = shape or Shape(), start or {}
        rest = (start_, daily, around, idle)
        SCENARIOS[name] = Scenario(name, title, body, quick, full, shape_, bounds, *rest)
        return body

    return register


async def run(scenario: Scenario, *, full: bool = False, seed: int | None = None) -> dict[str, Any]:
    """Run it once; the row of what happened. What failed leaves its folder behind."""
    seed = random.SystemRandom().getrandbits(32) if seed is None else seed
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp(prefix=f"telar-{scenario.name}-"))
    sizes = scenario.full if full else scenario.quick
    begun = time.monotonic()
    async with AsyncExitStack() as stack:
        trial = await _started(scenario, folder, seed, stack)
        await _within(trial, scenario.body(trial, **sizes), scenario.bounds[full])
        await _within(trial, trial.judge(folder), 600.0)
    row = {**_row(scenario, trial, sizes, time.monotonic() - begun), "full": full}
    if trial.tally.wrong:
        return {**row, "folder": str(folder)}
    shutil.rmtree(folder, ignore_errors=True)
    return row


async def _started(
    scenario: Scenario, folder: Path, seed: int, stack: AsyncExitStack, tries: int = 3
) -> Trial:
    """A cluster that is up: tried again where another program took a port meanwhile."""
    for left in reversed(range(tries)):
        mine = AsyncExitStack()
        cluster, around = Cluster(folder / str(left), scenario.shape), None
        try:
            if scenario.around is not None:
                around = await mine.enter_async_context(scenario.around(cluster))
            mine.push_async_callback(asyncio.to_thread, cluster.stop)
            await asyncio.to_thread(cluster.start, scenario.start)
        except DiedEarly:
            await mine.aclose()
            if not left:
                raise
            continue
        trial = Trial(cluster, seed, around)
        mine.push_async_callback(trial.close)
        await stack.enter_async_context(mine)
        return trial
    raise AssertionError("unreachable")


async def _within(trial: Trial, body: Any, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await body
    except TimeoutError:
        trial.tally.wrong.append(f"I13 not done within {seconds:.0f} s")
    except Exception as error:
        trial.tally.wrong.append(f"the scenario: {error!r}"[:600])
        traceback.print_exc()


def _row(
    scenario: Scenario, trial: Trial, sizes: Mapping[str, Any], seconds: float
) -> dict[str, Any]:
    tally = trial.tally
    faults = {
        name: {"made": tally.made[name], "observed": tally.observed[name]} for name in tally.made
    }
    return {
        "scenario": scenario.name,
        "title": scenario.title,
        "seed": trial.seed,
        "sizes": dict(sizes),
        "idle": scenario.idle,
        "faults": faults,
        "commands": trial.client.history.counts(),
        "snapshots": trial.snapshots,
        "notes": tally.notes,
        "recovery_s": recovery(tally.recoveries),
        "violations": tally.wrong[:50],
        "seconds": round(seconds),
    }


def record(row: Mapping[str, Any]) -> Path:
    """Append a row to the results of its scenario, whatever came of it: red runs count too."""
    path = RESULTS / f"{row['scenario']}.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    of = {"commit": git("rev-parse", "--short", "HEAD"), "changed": bool(changes())}
    rows.append({**row, **of, "at": time.strftime("%Y-%m-%d", time.gmtime())})
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    return path


def changes() -> str:
    """What the working tree has beside its commit, as git says it, but for what runs write."""
    return git("status", "--porcelain", "--", ".", *(f":!{path}" for path in WRITTEN))
