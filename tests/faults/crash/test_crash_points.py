"""A sample of the crash points, spread over all paths; the whole is `make faults FULL=1`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.crash import paths
from tests.faults.crash.campaign import Campaign
from tests.faults.crash.lab import Lab

LANES, DEATHS = 4, len(paths.REQUIRED)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("lab")) as started:
        yield started


@pytest.mark.timeout(400)
async def test_a_death_at_any_call_loses_and_doubles_nothing(lab: Lab, tmp_path: Path) -> None:
    campaign = Campaign(lab, tmp_path, "death", seed=1, times=1)
    await campaign.run(LANES, DEATHS)
    assert campaign.violations() == []
    assert campaign.count >= DEATHS
    assert {path for path, _, _ in campaign.hits()} >= paths.REQUIRED
