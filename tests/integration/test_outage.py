"""Servers that go away: a stop is still a stop, and what was accepted still takes effect."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from deploy.local.servers import Servers
from shared.chassis.kafka import KafkaBus
from shared.chassis.mongo import MongoStore
from shared.chassis.ports import Bus
from tests.support import mini
from tests.support.app import Running, running
from tests.support.own import OwnBus
from tests.support.wait import until

STOP = 10.0
"""The promised seconds of an orderly stop, whatever is gone."""


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Servers that this module may end."""
    with Servers(tmp_path_factory.mktemp("outage")) as started:
        yield started


def bus(own: Servers, name: str) -> Bus:
    """Topics of a test's own: a database that does not know them would not serve."""
    return OwnBus(KafkaBus(own.kafka), name)


@pytest.fixture
async def pair(own: Servers, tmp_path: Path) -> AsyncIterator[tuple[Running, Running]]:
    name = uuid4().hex[:10]
    stores = [MongoStore(own.mongo, f"{one}_{name}") for one in ("shelf", "reader")]
    async with (
        running(mini.SHELF, tmp_path / "keys", stores[0], bus(own, name)) as shelf,
        running(mini.READER, tmp_path / "keys", stores[1], bus(own, name)) as reader,
    ):
        yield shelf, reader


async def _stop_in_time(own: Servers, keys: Path, *gone: str) -> float:
    name = uuid4().hex[:10]
    store = MongoStore(own.mongo, f"shelf_{name}")
    loop = asyncio.get_running_loop()
    async with running(mini.SHELF, keys, store, bus(own, name)) as shelf:
        for number in range(5):
            await shelf.post("/shelves/s/loans", {"reader_id": "ana", "number": number + 1})
        if "kafka" in gone:
            await asyncio.to_thread(own.kill_kafka)
        if "mongo" in gone:
            await asyncio.to_thread(own.kill_mongo)
        waiting = [
            asyncio.create_task(shelf.post("/shelves/s/loans", {"reader_id": "ana", "number": 1}))
            for _ in range(5)
        ]
        await asyncio.sleep(0)
        started = loop.time()
    taken = loop.time() - started
    await asyncio.wait(waiting, timeout=15)
    return taken


@pytest.mark.parametrize("gone", [("kafka",), ("mongo",), ("kafka", "mongo")])
async def test_a_stop_takes_ten_seconds_at_most_whatever_is_gone(
    own: Servers, tmp_path: Path, gone: tuple[str, ...]
) -> None:
    try:
        assert await _stop_in_time(own, tmp_path / "keys", *gone) < STOP
    finally:
        if "kafka" in gone:
            await asyncio.to_thread(own.start_kafka)
        if "mongo" in gone:
            await asyncio.to_thread(own.start_mongo)


async def test_commands_are_accepted_without_kafka_and_take_effect_when_it_is_back(
    own: Servers, pair: tuple[Running, Running]
) -> None:
    shelf, reader = pair
    key = f"out-{uuid4().hex[:8]}"
    await asyncio.to_thread(own.kill_kafka)
    try:
        for number in (1, 2, 3):
            lent = await shelf.post("/shelves/s/loans", {"reader_id": key, "number": number})
            assert lent.status_code == 201
    finally:
        await asyncio.to_thread(own.start_kafka)
    await until(
        lambda: reader.json(f"/cards/{key}"),
        lambda card: card.get("loans") == [1, 2, 3],
        within=60,
    )


async def test_a_killed_mongod_loses_nothing_that_was_accepted(
    own: Servers, pair: tuple[Running, Running]
) -> None:
    shelf, reader = pair
    key = f"kill-{uuid4().hex[:8]}"
    accepted: list[int] = []

    async def lend(number: int) -> None:
        once = uuid4().hex
        body = {"reader_id": key, "number": number}
        answer = await until(
            lambda: shelf.post("/shelves/s/loans", body, once),
            lambda answer: answer.status_code == 201,
            within=60,
        )
        accepted.append(answer.json()["lent"])

    load = [asyncio.create_task(lend(number)) for number in range(1, 31)]
    await until(lambda: asyncio.sleep(0, len(accepted)), lambda done: done >= 1)
    await asyncio.to_thread(own.kill_mongo)
    await asyncio.to_thread(own.start_mongo)
    await asyncio.gather(*load)
    card = await until(
        lambda: reader.json(f"/cards/{key}"),
        lambda card: card.get("books") == sum(range(1, 31)),
        within=60,
    )
    assert sorted(card["loans"]) == list(range(1, 31))
