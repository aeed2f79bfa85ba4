"""The part of the simulation that `make test` has; the whole is `make faults FULL=1`."""

import re
import subprocess
import sys
from collections import Counter

import pytest

SEEDS = 1000


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    # Beside it run scenarios that are measured in real seconds: they come first.
    command = ["nice", "-n", "10", sys.executable, "-m", "tests.faults.sim", *arguments]
    return subprocess.run(command, check=False, text=True, capture_output=True)


@pytest.mark.timeout(900)
def test_no_seed_breaks_an_invariant() -> None:
    done = simulate("--seeds", f"0:{SEEDS}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_seed_plays_the_same_alone_and_after_others_and_sees_each_fault_once_at_most() -> None:
    alone, others = [simulate("--seeds", seeds, "--digests").stdout for seeds in ("4:5", "0:20")]
    digests = others.splitlines()[-20:]
    assert alone.splitlines()[-1] == digests[4]
    assert len(set(digests)) == 20
    _each_fault_is_seen_once_at_most(others)


def _each_fault_is_seen_once_at_most(said: str) -> None:
    def counts(what: str) -> Counter[str]:
        [line] = re.findall(rf"^{what} +\d+: (.+)$", said, re.MULTILINE)
        return Counter({kind: int(n) for kind, n in re.findall(r"([a-z][a-z ]*) (\d+)", line)})

    made, seen = counts("faults made"), counts("took effect")
    assert made.total() <= 20 * 6
    assert seen
    assert seen <= made
