"""The part of the simulation that `make test` has; the whole is `make faults FULL=1`."""

import re
import subprocess
import sys
from collections import Counter

import pytest

SEEDS = 1000


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.faults.sim", *arguments]
    return subprocess.run(command, check=False, text=True, capture_output=True)


@pytest.mark.timeout(600)
def test_no_seed_breaks_an_invariant() -> None:
    done = simulate("--seeds", f"0:{SEEDS}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_seed_plays_the_same_alone_and_after_others() -> None:
    def digest(seeds: str) -> str:
        return simulate("--seeds", seeds, "--digests").stdout.splitlines()[-1]

    assert digest("4:5") == digest("0:5")
    assert digest("4:5") != digest("3:4")


def test_of_the_faults_that_were_made_each_is_seen_once_at_most() -> None:
    said = simulate("--seeds", "0:20").stdout

    def counts(what: str) -> Counter[str]:
        [line] = re.findall(rf"^{what} +\d+: (.+)$", said, re.MULTILINE)
        return Counter({kind: int(n) for kind, n in re.findall(r"([a-z ]+) (\d+)", line)})

    made, seen = counts("faults made"), counts("took effect")
    assert made.total() <= 20 * 6
    assert seen
    assert seen <= made
