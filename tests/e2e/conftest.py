"""The whole platform, once for the journeys: real servers, every service its own process."""

from collections.abc import Iterator

import pytest

from deploy.local.platform import Platform


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Everything, in a temporary folder, stopped at the end."""
    with Platform(tmp_path_factory.mktemp("platform")) as started:
        yield started
