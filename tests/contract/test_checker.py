"""The judges of fault runs know nothing of what they judge."""

import sys
from pathlib import Path

import pytest

from tests.contract.test_imports import imported
from tools.paths import ROOT

FAULTS = ROOT / "tests" / "faults"
CHECKER = FAULTS / "checker"
ALLOWED = {"aiokafka", "pymongo"}


def outside(path: Path) -> set[str]:
    """The packages that a module imports, itself or by others of the tests."""
    to_read, read, found = [path], set[Path](), set[str]()
    while to_read:
        if (one := to_read.pop()) in read:
            continue
        read.add(one)
        for name in imported(one):
            inside = ROOT / name.replace(".", "/")
            if not name.startswith("tests."):
                found.add(name.partition(".")[0])
            else:  # of a package, whatever is in it
                to_read += inside.glob("*.py") if inside.is_dir() else [inside.with_suffix(".py")]
    return found - sys.stdlib_module_names


def test_the_checker_imports_plain_clients_and_itself_alone() -> None:
    files = sorted(CHECKER.rglob("*.py"))
    assert files
    found = {name for path in files for name in imported(path)}
    others = {one for one in found if not one.startswith("tests.faults.checker")}
    assert {one.partition(".")[0] for one in others} - sys.stdlib_module_names == ALLOWED


@pytest.mark.parametrize("judge", ["crash", "sim"])
def test_a_judge_reaches_plain_clients_and_nothing_of_the_product(judge: str) -> None:
    assert outside(FAULTS / judge / "checker.py") <= ALLOWED


def test_a_judge_that_reaches_the_product_by_another_would_be_seen(tmp_path: Path) -> None:
    judge = tmp_path / "checker.py"
    judge.write_text("from tests.faults.sim.cluster import Cluster\n")
    assert "shared" in outside(judge)
