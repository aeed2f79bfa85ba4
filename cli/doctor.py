"""`telar doctor`: looks at this machine and says what is wrong and what to do."""

import json
import sys
from collections.abc import Iterator
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
    yield checks.mongod()
    yield checks.kafka()
    yield checks.python()
    yield checks.memory()
    yield checks.disk(folder)
    yield checks.permissions(folder)
    yield checks.ports(folder)
    yield checks.clock()
    yield checks.processes(folder)
