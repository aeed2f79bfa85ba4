"""`telar status`: every process, how it is and what it takes."""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from cli import show, usage
from deploy.local.folders import Folders
from deploy.local.processes import PidFile
from deploy.local.stack import Row, Stack

_HEADS = ("name", "state", "address", "pid", "memory", "uptime", "restarts")


def status(folder: Path, *, as_json: bool) -> int:
    """Print the processes; the exit code says whether all is well."""
    stack = Stack.find(folder)
    if stack is None:
        if as_json:
            print(json.dumps({"phase": "down", "data": str(folder), "processes": []}))
            return usage.NOT_RUNNING
        usage.not_running(folder)
    rows = [_measured(row) for row in stack.units]
    supervisor = PidFile(Folders(folder).owner).pid()
    total = sum(row["memory"] or 0 for row in rows) + (_memory(supervisor) or 0)
    if as_json:
        facts = {"phase": stack.phase, "data": str(stack.data), "memory": total}
        print(json.dumps({**facts, "processes": rows}, indent=1))
    else:
        show.table(Console(soft_wrap=True), _HEADS, [_shown(row) for row in rows])
        lost = [row["name"] for row in rows if row["state"] == "failed"]
        phase = f"{stack.phase} but for {', '.join(lost)}" if lost else stack.phase
        print(f"\n{phase}; {_mega(total)} in all; data in {stack.data}", file=sys.stderr)
    return usage.OK if stack.is_whole else usage.FAILED


def _measured(row: Row) -> dict[str, Any]:
    uptime = round(time.time() - row.since, 1) if row.since else None
    measured = asdict(row) | {"memory": _memory(row.pid), "uptime": uptime}
    del measured["since"]
    return measured


def _memory(pid: int | None) -> int | None:
    """Its own memory, and its share of what it shares."""
    try:
        return psutil.Process(pid).memory_full_info().pss if pid else None
    except psutil.Error:
        return None


def _shown(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["name"],
        row["state"],
        row["address"].partition("/?")[0],
        str(row["pid"] or "-"),
        _mega(row["memory"]),
        _duration(row["uptime"]),
        str(row["restarts"]),
    )


def _mega(size: int | None) -> str:
    return f"{size / 1e6:.0f} MB" if size else "-"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s"
