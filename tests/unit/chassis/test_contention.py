"""An intent in whose way another process stays waits by itself; the others of its process go on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from shared.chassis import contention
from shared.chassis.envelope import encode
from shared.chassis.memory import MemoryBus, MemoryStore
from shared.chassis.ports import Put
from tests.integration.core_suite import CoreSuite, chain
from tests.support import mini
from tests.support.app import Running, running
from tests.support.wait import until
from tests.unit.chassis.test_core import Ticking


@asynccontextmanager
async def rival(store: MemoryStore, collection: str, doc_id: str) -> AsyncIterator[None]:
    """Another process has written this document, and does not commit."""
    async with store.transaction() as transaction:
        await transaction.write([Put(collection, {"_id": doc_id, "version": 1}, None)])
        yield


async def lend(shelf: Running, name: str, reader_id: str) -> httpx2.Response:
    """A loan from one shelf."""
    return await shelf.post(f"/shelves/{name}/loans", {"reader_id": reader_id, "number": 1})


async def tried(store: MemoryStore, times: int) -> None:
    """So many transactions have tried to write since now."""
    want = store.faults.calls["write"] + times

    async def calls() -> bool:
        return store.faults.calls["write"] >= want

    await until(calls)


async def test_others_are_answered_while_a_contended_command_waits(tmp_path: Path) -> None:
    store = Ticking()
    async with running(mini.SHELF, tmp_path, store, MemoryBus()) as shelf:
        async with rival(store, "shelves", "hot"):
            hot = [asyncio.create_task(lend(shelf, "hot", f"h{number}")) for number in range(3)]
            await tried(store, 6)
            others = await asyncio.gather(*[lend(shelf, "cold", f"r{n}") for n in range(20)])
            assert {one.status_code for one in others} == {201}
            assert not any(one.done() for one in hot)
        assert [one.status_code for one in await asyncio.gather(*hot)] == [201] * 3
        assert (await shelf.json("/shelves/hot"))["lent"] == 3
        assert (await shelf.json("/shelves/cold"))["lent"] == 20


async def test_a_contended_command_is_told_to_come_back_when_its_patience_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.chassis.writer.PATIENCE", 0.3)
    store = Ticking()
    async with running(mini.SHELF, tmp_path, store, MemoryBus()) as shelf:
        async with rival(store, "shelves", "hot"):
            hot, cold = await asyncio.gather(lend(shelf, "hot", "ana"), lend(shelf, "cold", "eva"))
            assert (hot.status_code, hot.json()["code"]) == (503, "not-ready")
            assert cold.status_code == 201
        assert (await lend(shelf, "hot", "ana")).status_code == 201
        assert (await shelf.json("/shelves/hot"))["lent"] == 1


async def test_a_contended_event_keeps_the_later_ones_of_its_key_behind_it_and_parks_nothing(
    tmp_path: Path,
) -> None:
    store, bus = Ticking(), MemoryBus()
    async with running(mini.READER, tmp_path, store, bus) as reader:
        async with rival(store, "cards", "ana"):
            events = (*chain("ana", 1, 2, 3, 4), *chain("eva", 5))
            await CoreSuite.send(bus, *[encode(one) for one in events])
            await CoreSuite.card(reader, "eva", [5])
            await tried(store, 3)
            assert await CoreSuite.parked(reader) == []
        await CoreSuite.card(reader, "ana", [1, 2, 3, 4])


async def test_those_aside_take_turns_and_leave_room_for_batches_between() -> None:
    aside = contention.Aside()
    loop = asyncio.get_running_loop()
    works = [_Answerless(loop) for _ in range(contention.A_TURN + 5)]
    for work in works:
        aside.put(contention.Group([work], until=loop.time()))  # type: ignore[list-item]
    works[0].future.set_result(None)
    first, second = aside.ready(), aside.ready()
    assert [len(first), len(second)] == [contention.A_TURN - 1, 5]
    assert (aside.works(), aside.soonest) == ([], None)


class _Answerless:
    """As much of an intent as waiting needs."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.future = loop.create_future()
