"""Faults on the real stack: the daily scenarios, small; `make faults FULL=1` runs all, in full."""

import pytest

from tests.faults import scenarios
from tests.faults.runner import SCENARIOS, run

assert scenarios.__doc__, "every scenario is registered"

WITHOUT_FAULTS = {"approvals"}
"""A crowd is what it makes."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", [name for name, one in SCENARIOS.items() if one.daily])
async def test_nothing_is_lost_or_doubled_by(name: str) -> None:
    row = await run(SCENARIOS[name])
    assert row["violations"] == [], row
    assert row["faults"] or name in WITHOUT_FAULTS, "no fault was made"
    assert row["commands"]["accepted"] > 0
