"""Each measure on a real stack; raw numbers go to bench/results.json (make bench).

What is not run again stays there as it was, with its commit and its time.
"""

import asyncio
import platform
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib.metadata import version
from timeit import repeat
from typing import Any

import orjson
import psutil
import uvloop

from bench.measures import (
    backlog,
    check,
    consume,
    effect,
    http,
    keys,
    memory,
    profile,
    proxy,
    replicas,
    sweep,
)
from bench.plan import Plan, plan
from bench.stage import Stage, stage
from tools.git import git
from tools.paths import ROOT

RESULTS = ROOT / "bench" / "results.json"
CODE = ("bench", "shared", "services", "deploy")
Measure = Callable[[Stage, Plan], Awaitable[dict[str, Any]]]

# First what shows that all sides do the same work.
MEASURES: dict[str, Measure] = {
    "check": check.measure,
    "consume": consume.measure,
    "http": http.measure,
    "effect": effect.measure,
    "backlog": backlog.measure,
    "replicas": replicas.measure,
    "keys": keys.measure,
    "proxy": proxy.measure,
    "memory": memory.measure,
    "sweep": sweep.measure,
    "profile": profile.measure,
}
PACKAGES = ("aiokafka", "motor", "pymongo", "pydantic", "fastapi", "uvicorn", "faststream")


async def run(chosen: list[str]) -> None:
    """Run these measures, or all; each result is written at once, the others' are kept."""
    todo, how = chosen or list(MEASURES), plan()
    async with stage() as shared:
        for name in todo:
            began = time.monotonic()
            sys.stdout.write(f"• {name:<10}")
            sys.stdout.flush()
            result = await MEASURES[name](shared, how)
            seconds = round(time.monotonic() - began, 1)
            sys.stdout.write(f"{seconds:7.1f} s\n")
            _keep(name, {"plan": how.name, "seconds": seconds, **result})


def _keep(name: str, result: dict[str, Any]) -> None:
    kept = orjson.loads(RESULTS.read_bytes()) if RESULTS.exists() else {"measures": {}}
    kept["machine"] = _machine()
    at = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="minutes")
    python = {"python": platform.python_version(), "pace_ns": _pace()}
    kept["measures"][name] = {**result, "commit": _commit(), "at": at, **python}
    RESULTS.write_bytes(orjson.dumps(kept, option=orjson.OPT_INDENT_2) + b"\n")


def _machine() -> dict[str, Any]:
    return {
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _pace() -> float:
    """Nanoseconds of one turn of a small loop, the best of many: how fast this build of Python is.

    One that was built without a profile takes a third longer, and its version does not say so.
    """
    code = "for i in turns: seen[i & 63] = seen.get(i & 63, 0) + len(str(i))"
    turns = range(10_000)
    best = min(repeat(code, number=1, repeat=50, globals={"turns": turns, "seen": {}}))
    return round(best / len(turns) * 1e9, 1)


def _commit() -> str:
    """The commit that ran; with a + if what ran was changed since."""
    changed = git("status", "--porcelain", "--", *CODE, f":!{RESULTS.relative_to(ROOT)}")
    return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")


async def _ending(chosen: list[str]) -> None:
    """TERM ends what runs like Ctrl-C does: sides and servers are stopped, their folder is gone."""
    running = asyncio.ensure_future(run(chosen))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    await running


def main(chosen: list[str]) -> None:
    """Run; told to end, end in good order."""
    try:
        uvloop.run(_ending(chosen))
    except asyncio.CancelledError:
        sys.exit(128 + signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1:])
