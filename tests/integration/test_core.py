"""The core on a real MongoDB and a real Kafka."""

from pathlib import Path
from uuid import uuid4

import pytest

from deploy.local.servers import Servers
from shared.chassis.kafka import KafkaBus
from shared.chassis.mongo import MongoStore
from shared.chassis.ports import Bus, Store
from tests.integration.isolation_suite import IsolationSuite
from tests.integration.tail_suite import TailSuite
from tests.support.own import OwnBus


class TestCore(IsolationSuite, TailSuite):
    @pytest.fixture
    def name(self) -> str:
        return uuid4().hex[:12]

    @pytest.fixture
    def keys(self, tmp_path: Path) -> Path:
        return tmp_path / "keys"

    @pytest.fixture
    def bus(self, servers: Servers, name: str) -> Bus:
        return OwnBus(KafkaBus(servers.kafka), name)

    @pytest.fixture
    def shelf_store(self, servers: Servers, name: str) -> Store:
        return MongoStore(servers.mongo, f"shelf_{name}")

    @pytest.fixture
    def reader_store(self, servers: Servers, name: str) -> Store:
        return MongoStore(servers.mongo, f"reader_{name}")
