"""A sample of the driver errors over all call sites; the whole is `make faults FULL=1`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.crash.campaign import Campaign
from tests.faults.crash.lab import Lab
from tests.faults.driver import sites

LANES, ERRORS = 4, 20


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("lab")) as started:
        yield started


def test_every_awaited_call_of_a_driver_is_known() -> None:
    assert sites.unknown() == []


@pytest.mark.timeout(400)
async def test_an_error_of_a_driver_at_any_call_loses_and_doubles_nothing(
    lab: Lab, tmp_path: Path
) -> None:
    campaign = Campaign(lab, tmp_path, "error", seed=1, times=1)
    await campaign.run(LANES, ERRORS)
    assert campaign.violations() == []
    assert campaign.count >= ERRORS
