"""Twelve known faults, each of which the checker must find in its invariant."""

import subprocess
import sys

import pytest

from tests.faults.honesty.catalogue import PATCHES
from tests.faults.honesty.patching import Patch, Patched
from tests.faults.honesty.search import MOST
from tests.faults.sim.test_sim import SEEDS


@pytest.mark.timeout(900)
def test_the_checker_finds_every_known_fault() -> None:
    command = ["nice", "-n", "10", sys.executable, "-m", "tests.faults.honesty", "--known"]
    done = subprocess.run(command, check=False, text=True, capture_output=True)
    assert done.stdout.splitlines()[-1] == "12 of 12", done.stdout + done.stderr


def test_what_shows_a_fault_is_run_without_it_too() -> None:
    assert {patch.seed for patch in PATCHES} <= set(range(SEEDS))
    assert MOST <= SEEDS


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.name)
def test_every_fragment_is_in_the_product(patch: Patch) -> None:
    for module in Patched(patch).modules():
        assert Patched(patch).source(module) != Patched(None).source(module)


def test_a_fragment_that_is_gone_is_an_error() -> None:
    gone = Patch("gone", "none", (("shared.chassis.writer", "no such line", ""),))
    with pytest.raises(LookupError, match="0 times"):
        Patched(gone).source("shared.chassis.writer")
