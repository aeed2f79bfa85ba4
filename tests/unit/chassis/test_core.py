"""The core on the in-memory store and bus."""

import time
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from shared.chassis.memory import MemoryBus, MemoryStore
from shared.chassis.tokens import Issuer
from tests.integration.isolation_suite import IsolationSuite
from tests.integration.tail_suite import TailSuite
from tests.support import mini
from tests.support.app import Running
from tests.support.wait import until


class Ticking(MemoryStore):
    """A store whose clock goes, so that back-off and patience pass."""

    async def time(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC)


class TestCoreInMemory(IsolationSuite, TailSuite):
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


async def test_a_command_is_told_to_come_back_until_time_and_secret_are_known(
    tmp_path: Path,
) -> None:
    store, keys = Ticking(), tmp_path / "keys"
    issuer = Issuer(keys)
    issuer.ensure()
    store.faults.go_out()
    app = mini.SHELF.app(mini.Settings(jwks=keys / "jwks.json", partitions=2), store, MemoryBus())
    token = issuer.access_token("op-1", ["operator"])
    async with app.router.lifespan_context(app), own_client(app, token) as http:
        shelf = Running(app, http)
        body = {"reader_id": "ana", "number": 3}
        asked = await shelf.post("/shelves/s/loans", body, "key-00001")
        assert (asked.status_code, asked.json()["code"]) == (503, "not-ready")
        store.faults.come_back()
        await until(app.state.runtime.faults, lambda faults: not faults)
        first, again = [await shelf.post("/shelves/s/loans", body, "key-00001") for _ in "12"]
        assert first.status_code == again.status_code == 201
        assert first.content == again.content


def own_client(app: FastAPI, token: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app),
        base_url="http://service",
        headers={"authorization": f"Bearer {token}"},
    )
