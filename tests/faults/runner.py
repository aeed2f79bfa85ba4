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
from tests.faults.judges import judges
from tests.faults.load.history import History
from tests.faults.trial import Body, Trial, recovery
from tests.support.cluster import Cluster, Shape
from tools.git import git

RESULTS = Path(__file__).parent / "results"
ROOT = Path(__file__).parents[2]
TAKEN = "address already in use"
"""What servers and services say where another program has their port."""

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
    """Run it once; the row of what happened. What failed leaves its folder behind, and says where.

    What is told to stop leaves nothing.
    """
    seed = random.SystemRandom().getrandbits(32) if seed is None else seed
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp(prefix=f"telar-{scenario.name}-"))
    is_kept = False
    try:
        row = await _ran(scenario, folder, seed, full=full)
        is_kept = bool(row["violations"])
    except Exception as error:
        is_kept = True
        error.add_note(f"what it left: {folder}")
        raise
    finally:
        if not is_kept:
            shutil.rmtree(folder, ignore_errors=True)
    return {**row, "folder": str(folder)} if is_kept else row


async def _ran(scenario: Scenario, folder: Path, seed: int, *, full: bool) -> dict[str, Any]:
    sizes = scenario.full if full else scenario.quick
    begun = time.monotonic()
    async with AsyncExitStack() as stack:
        trial = await _started(scenario, folder, seed, stack)
        await _within(trial, scenario.body(trial, **sizes), scenario.bounds[full])
        await _within(trial, trial.judge(folder), 600.0)
    return {**_row(scenario, trial, sizes, time.monotonic() - begun), "full": full}


async def _started(
    scenario: Scenario, folder: Path, seed: int, stack: AsyncExitStack, tries: int = 3
) -> Trial:
    """A cluster that is up: tried again where another program took a port meanwhile."""
    for left in reversed(range(tries)):
        mine = AsyncExitStack()
        try:
            trial = await _begun(scenario, folder / str(left), seed, mine)
        except BaseException as error:
            await mine.aclose()
            if not (left and isinstance(error, DiedEarly) and TAKEN in str(error).lower()):
                raise
            continue
        await stack.enter_async_context(mine)
        return trial
    raise AssertionError("unreachable")


async def _begun(scenario: Scenario, folder: Path, seed: int, stack: AsyncExitStack) -> Trial:
    """A cluster that is up, and what is around it; `stack` ends all of that."""
    cluster, around = Cluster(folder, scenario.shape), None
    if scenario.around is not None:
        around = await stack.enter_async_context(scenario.around(cluster))
    starting = asyncio.create_task(asyncio.to_thread(cluster.start, scenario.start))

    async def stop() -> None:
        await asyncio.to_thread(cluster.stop)
        # A thread ends by itself: soon, as what it waits for is gone.
        await asyncio.gather(starting, return_exceptions=True)

    stack.push_async_callback(stop)
    await asyncio.shield(starting)
    trial = Trial(cluster, seed, around)
    stack.push_async_callback(trial.close)
    return trial


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


def broken(scenario: Scenario, seed: int | None, error: Exception, *, full: bool) -> dict[str, Any]:
    """The row of a run that could not even begin, or be judged: it counts as what it is."""
    said = " ".join([f"{error!r}"[:600], *getattr(error, "__notes__", ())])
    return {
        "scenario": scenario.name,
        "title": scenario.title,
        "seed": seed,
        "sizes": dict(scenario.full if full else scenario.quick),
        "idle": scenario.idle,
        "faults": {},
        "commands": History().counts(),
        "snapshots": 0,
        "notes": {},
        "recovery_s": recovery(()),
        "violations": [f"the run itself: {said}"],
        "seconds": 0,
        "full": full,
    }


def record(row: Mapping[str, Any]) -> Path:
    """Append a row to the results of its scenario, whatever came of it: red runs count too."""
    path = RESULTS / f"{row['scenario']}.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    of: dict[str, Any] = {"commit": git("rev-parse", "--short", "HEAD"), "changed": bool(changes())}
    of["judges"] = judges(row["scenario"])
    rows.append({**row, **of, "at": time.strftime("%Y-%m-%d", time.gmtime())})
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    return path


def changes() -> str:
    """What the working tree has beside its commit, as git says it, but for what runs write."""
    return git("status", "--porcelain", "--", ".", *(f":!{path}" for path in WRITTEN))
