"""One platform for the whole run: everything, on random ports, stopped at the end."""

from collections.abc import AsyncIterator, Iterator

import pytest

from deploy.local.plan import Plan
from deploy.local.platform import Platform
from tests.e2e.api import Api
from tests.e2e.outside import Outside


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Everything, in a temporary folder."""
    plan = Plan(first_port=None, throw_away=True)
    with Platform(tmp_path_factory.mktemp("platform"), plan) as started:
        yield started


@pytest.fixture
def outside(platform: Platform) -> Iterator[Outside]:
    """Plain clients: nothing of Telar."""
    reader = Outside(platform.mongo, platform.kafka)
    yield reader
    reader.close()


@pytest.fixture
async def api(platform: Platform) -> AsyncIterator[Api]:
    """The public API, with tokens for whomever a test needs."""
    async with Api(platform.gateway, platform.folders.keys) as callers:
        yield callers
