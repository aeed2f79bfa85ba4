"""`telar doctor`: looks at this machine and says what is wrong and what to do."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from cli import checks, show, usage
from cli.checks import Check


def doctor(folder: Path, *, as_json: bool) -> int:
    """Print every finding; 1 if something is wrong, not if it is only worth knowing."""
    found = list(_all(folder))
    if as_json:
        print(json.dumps([asdict(check) for check in found], indent=1))
    else:
        rows = [(check.name, check.verdict, check.found) for check in found]
        show.table(Console(soft_wrap=True), ("check", "verdict", "found"), rows)
        for check in found:
            if check.advice:
                print(f"\n{check.name}: {check.advice}", file=sys.stderr)
    bad = any(check.verdict == "bad" for check in found)
    return usage.FAILED if bad else usage.OK


def _all(folder: Path) -> Iterator[Check]:
    yield _seen("mongod", checks.mongod)
    yield _seen("kafka", checks.kafka)
    yield _seen("python", checks.python)
    yield _seen("memory", checks.memory)
    yield _seen("disk", checks.disk, folder)
    yield _seen("permissions", checks.permissions, folder)
    yield _seen("ports", checks.ports, folder)
    yield _seen("clock", checks.clock)
    yield _seen("processes", checks.processes, folder)


def _seen(name: str, look: Callable[..., Check], *where: Path) -> Check:
    """What a look finds; one that cannot be taken is a finding, and the others are taken."""
    try:
        return look(*where)
    except Exception as problem:
        return Check(name, "bad", usage.in_words(problem) or type(problem).__name__)
