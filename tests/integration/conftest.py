"""One real MongoDB and one real Kafka for the whole run; each test owns its names."""

from collections.abc import Iterator

import pytest

from deploy.local.servers import Servers


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Real servers on random ports, in a temporary folder, stopped at the end."""
    with Servers(tmp_path_factory.mktemp("servers")) as started:
        yield started
