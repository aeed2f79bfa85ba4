"""The judge of fault runs knows nothing of what it judges."""

import sys

from tests.contract.test_imports import imported
from tools.paths import ROOT

CHECKER = ROOT / "tests" / "faults" / "checker"
ALLOWED = {"aiokafka", "pymongo"}


def test_the_checker_imports_plain_clients_and_itself_alone() -> None:
    files = sorted(CHECKER.rglob("*.py"))
    assert files
    found = {name for path in files for name in imported(path)}
    others = {one for one in found if not one.startswith("tests.faults.checker")}
    assert {one.partition(".")[0] for one in others} - sys.stdlib_module_names == ALLOWED
