"""Everything that can be known without a server, four things at a time (make check)."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tools.paths import ROOT

BIN = Path(sys.executable).parent
AT_ONCE = 4
"""Two more than two cores: the tests of the chassis, and of replicas that race, mostly wait."""

_PYTEST = (str(BIN / "pytest"), "-q")
_RACES = ("tests/unit/test_place_machines.py", "tests/unit/grants/test_money_machine.py")
_ALONE = ("tests/unit/chassis", "tests/unit/gateway", "tests/unit/bad_input", *_RACES)

# The longest first, so that the short ones fill the other core.
STEPS: dict[str, list[str]] = {
    "tests of replicas that race": [*_PYTEST, *_RACES],
    "tests of the chassis": [*_PYTEST, "tests/unit/chassis"],
    "tests of bad input": [*_PYTEST, "tests/unit/bad_input"],
    "tests of services and command": [
        *(*_PYTEST, "tests/unit"),
        *(f"--ignore={folder}" for folder in _ALONE),
    ],
    "tests of the gateway": [*_PYTEST, "tests/unit/gateway"],
    "tests of contracts": [*_PYTEST, "tests/contract"],
    "types": [str(BIN / "pyrefly"), "check"],
    "generated files": [sys.executable, "-m", "tools.schemas", "--check"],
    "compatibility": [sys.executable, "-m", "tools.compat"],
    "imports": [str(BIN / "lint-imports")],
    "style": [str(BIN / "ruff"), "check"],
    "format": [str(BIN / "ruff"), "format", "--check"],
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one step went."""

    name: str
    passed: bool
    seconds: float
    output: str


def run(name: str, command: list[str]) -> Outcome:
    """Run one step; its output is kept for when it fails."""
    start = time.monotonic()
    done = subprocess.run(
        command,
        cwd=ROOT,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return Outcome(name, done.returncode == 0, time.monotonic() - start, done.stdout)


def main() -> None:
    """Run all steps, then show the output of those that failed."""
    start = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(run, name, command) for name, command in STEPS.items()]
        outcomes = [_told(future.result()) for future in as_completed(running)]
    failed = [outcome for outcome in outcomes if not outcome.passed]
    for outcome in failed:
        sys.stdout.write(f"\n── {outcome.name}\n{outcome.output}")
    verdict = ", ".join(outcome.name for outcome in failed) or "all good"
    sys.stdout.write(f"\n{verdict} · {time.monotonic() - start:.0f} s\n")
    sys.exit(1 if failed else 0)


def _told(outcome: Outcome) -> Outcome:
    mark = "✓" if outcome.passed else "✗"
    sys.stdout.write(f"{mark} {outcome.name:<26}{outcome.seconds:5.1f} s\n")
    sys.stdout.flush()
    return outcome


if __name__ == "__main__":
    main()
