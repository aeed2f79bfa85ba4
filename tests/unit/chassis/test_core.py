"""The core on the in-memory store and bus."""

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.chassis.memory import MemoryBus, MemoryStore
from tests.integration.repair_suite import RepairSuite


class Ticking(MemoryStore):
    """A store whose clock goes, so that back-off and patience pass."""

    async def time(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC)


class TestCoreInMemory(RepairSuite):
    @pytest.fixture
    def keys(self, tmp_path: Path) -> Path:
        return tmp_path / "keys"

    @pytest.fixture
    def bus(self) -> MemoryBus:
        return MemoryBus()

    @pytest.fixture
    def shelf_store(self) -> MemoryStore:
        return Ticking()

    @pytest.fixture
    def reader_store(self) -> MemoryStore:
        return Ticking()
