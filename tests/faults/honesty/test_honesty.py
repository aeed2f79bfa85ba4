"""Twelve known faults, each of which the checker must find in its invariant."""

import subprocess
import sys

import pytest

from tests.faults.honesty.catalogue import PATCHES
from tests.faults.honesty.patching import Patch, Patched


@pytest.mark.timeout(600)
def test_the_checker_finds_every_known_fault_and_nothing_without_it() -> None:
    command = [sys.executable, "-m", "tests.faults.honesty"]
    done = subprocess.run(command, check=False, text=True, capture_output=True)
    assert done.stdout.splitlines()[-1] == "12 of 12", done.stdout + done.stderr


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.name)
def test_every_fragment_is_in_the_product(patch: Patch) -> None:
    for module in Patched(patch).modules():
        assert Patched(patch).source(module) != Patched(None).source(module)


def test_a_fragment_that_is_gone_is_an_error() -> None:
    gone = Patch("gone", "none", (("shared.chassis.writer", "no such line", ""),))
    with pytest.raises(LookupError, match="0 times"):
        Patched(gone).source("shared.chassis.writer")
