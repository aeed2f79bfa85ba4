"""A command whose caller has gone is written only if it was begun: the others wait no more."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from shared.chassis.memory import MemoryBus
from tests.support import mini
from tests.support.app import Running, running
from tests.support.wait import until
from tests.unit.chassis.test_core import Ticking

PATH = "/shelves/s/loans"


@pytest.fixture
def store() -> Ticking:
    return Ticking()


@pytest.fixture
async def shelf(tmp_path: Path, store: Ticking) -> AsyncIterator[Running]:
    async with running(mini.SHELF, tmp_path, store, MemoryBus()) as service:
        yield service


async def lend(shelf: Running, key: str, patience: int) -> httpx2.Response:
    headers = {"idempotency-key": f"loan-{key:0>5}", "telar-timeout-ms": str(patience)}
    return await shelf.http.post(PATH, json={"reader_id": "ana", "number": 1}, headers=headers)


async def test_what_waits_behind_an_outage_ends_with_its_callers_patience(
    shelf: Running, store: Ticking
) -> None:
    store.faults.go_out()
    begun, writer = asyncio.create_task(lend(shelf, "0", 5000)), shelf.runtime.writer

    async def taken() -> bool:
        return bool(shelf.runtime.in_flight) and not writer._queue

    await until(taken)
    codes = [(await lend(shelf, str(number), 50)).json()["code"] for number in range(1, 6)]
    assert codes == ["not-ready"] * 5, "nothing of them was begun"
    assert not writer._queue
    store.faults.come_back()
    assert (await begun).status_code == 201
    assert (await lend(shelf, "1", 2000)).status_code == 201, "its key is free"
    assert (await shelf.json("/shelves/s"))["lent"] == 2


async def test_of_what_is_begun_the_outcome_is_not_known(shelf: Running, store: Ticking) -> None:
    store.faults.go_out()
    answer = await lend(shelf, "0", 50)
    assert (answer.status_code, answer.json()["code"]) == (503, "outcome-unknown")
    store.faults.come_back()
    again = await until(lambda: lend(shelf, "0", 2000), lambda seen: seen.status_code != 409)
    assert again.status_code == 201
    assert (await shelf.json("/shelves/s"))["lent"] == 1
