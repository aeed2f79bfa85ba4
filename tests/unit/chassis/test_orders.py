"""An operator's order has one answer, a refusal too: its key brings the same bytes again."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest

from shared.chassis.audit import LAST, ORDERS
from shared.chassis.envelope import encode
from shared.chassis.memory import MemoryBus, MemoryStore
from shared.chassis.memory.transaction import MemoryTransaction
from shared.chassis.operations import orders
from shared.chassis.ports import Place, Record, Write
from tests.integration.core_suite import CoreSuite, chain
from tests.integration.repair_suite import Lent
from tests.support import mini
from tests.support.app import Running, running
from tests.support.wait import until
from tests.unit.chassis.test_core import Ticking

KEY = "order-00001"
OVER = {(ORDERS, LAST): {"_id": LAST, "version": 1, "over": True}}
WHY: dict[str, Any] = {"reason": "as a test"}


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
def store() -> MemoryStore:
    return Ticking()


@pytest.fixture
async def shelf(tmp_path: Path, store: MemoryStore, bus: MemoryBus) -> AsyncIterator[Running]:
    async with running(mini.SHELF, tmp_path, store, bus) as service:
        yield service


async def resend(shelf: Running, first: int) -> httpx2.Response:
    """Always the same order."""
    body = {**WHY, "key": "ana", "first": first}
    return await shelf.post("/operations/shelf/resend", body, KEY)


async def lend(shelf: Running) -> None:
    """One more event of Ana's."""
    await shelf.post("/shelves/s/loans", {"reader_id": "ana", "number": 1})
    await until(lambda: shelf.json("/operations/shelf"), lambda seen: not seen["backlog"]["outbox"])


async def test_a_refused_resend_stays_refused_and_sends_nothing(
    shelf: Running, bus: MemoryBus
) -> None:
    refused = await resend(shelf, 1)
    assert (refused.status_code, refused.json()["code"]) == (409, "resend-beyond-head")
    await lend(shelf)
    again = await resend(shelf, 1)
    assert (again.status_code, again.content) == (409, refused.content)
    assert again.headers["content-type"] == "application/problem+json"
    assert len(bus.records("telar.shelf")) == 1
    other = await resend(shelf, 2)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert (await shelf.json("/operations/shelf/audit"))["items"] == []


async def test_a_repeated_resend_is_answered_and_not_done_again(
    shelf: Running, bus: MemoryBus
) -> None:
    await lend(shelf)
    first, again = await resend(shelf, 1), await resend(shelf, 1)
    assert first.json() == {"sent": 1, "head": 1}
    assert first.content == again.content
    assert len(bus.records("telar.shelf")) == 2


async def test_an_adoption_that_was_refused_or_done_is_answered_alike_again(
    tmp_path: Path, store: MemoryStore, bus: MemoryBus
) -> None:
    async def adopt(key: str) -> httpx2.Response:
        return await shelf.post("/operations/shelf/adopt-topic", WHY, key)

    before: Any = Lent(bus)
    async with running(mini.SHELF, tmp_path, Ticking(), before) as shelf:
        refused, again = [await adopt(KEY) for _ in "12"]
        assert (refused.status_code, refused.json()["code"]) == (409, "not-restored")
        assert refused.content == again.content
        await CoreSuite.send(bus, *[encode(event) for event in chain("ana", 1, 2)])
    async with running(mini.SHELF, tmp_path, store, bus, ready=False) as shelf:
        await until(shelf.runtime.faults, lambda faults: faults == ["restored"])
        adopted = await adopt(KEY)
        assert adopted.json() == {"keys": 1, "events": 2}
        await until(shelf.runtime.faults, lambda faults: not faults)
        again = await adopt(KEY)
        assert (again.status_code, again.content) == (200, adopted.content)
        assert len((await shelf.json("/operations/shelf/audit"))["items"]) == 1


async def test_a_service_that_serves_takes_over_what_lies_beyond_its_streams(
    shelf: Running, bus: MemoryBus
) -> None:
    """Its start has looked at the end of the topic alone."""
    await lend(shelf)
    ours = (await shelf.json("/operations/shelf/topic"))["numbers"]
    (key,) = ours
    await CoreSuite.send(bus, encode(chain(key, 7, branch="b")[0]))
    refused = await shelf.post("/operations/shelf/adopt-topic", WHY)
    assert (refused.status_code, refused.json()["code"]) == (409, "not-restored")
    await CoreSuite.send(bus, *[encode(event) for event in chain("lost", 1, 2)])
    adopted = await shelf.post("/operations/shelf/adopt-topic", WHY)
    assert adopted.json() == {"keys": 1, "events": 2}
    await shelf.post("/shelves/s/loans", {"reader_id": "lost", "number": 3})
    topic = await until(
        lambda: shelf.json("/operations/shelf/topic"), lambda seen: seen["records"] == 5
    )
    assert topic["numbers"]["lost"] == [[1, 3]]
    chains = await shelf.json("/operations/shelf/chains")
    assert (chains["items"], chains["checked"]) == ([], 2)


class Slow(MemoryBus):
    """Whole scans of a topic wait until they may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.may_go_on = asyncio.Event()
        self.scans = 0

    async def scan(
        self,
        topic: str,
        starts: Mapping[Place, int] | None = None,
        ends: Mapping[Place, int] | None = None,
    ) -> AsyncGenerator[list[Record], None]:
        if not starts:
            self.scans += 1
            await self.may_go_on.wait()
        async for found in super().scan(topic, starts, ends):
            yield found


async def test_an_adoption_outlives_its_caller_and_a_repeat_joins_it(
    tmp_path: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "MOMENT", 0.05)
    bus = Slow()
    await bus.ensure({"telar.shelf": 2})
    await CoreSuite.send(bus, *[encode(event) for event in chain("ana", 1, 2)])
    async with running(mini.SHELF, tmp_path, store, bus, ready=False) as shelf:
        await until(shelf.runtime.faults, lambda faults: faults == ["restored"])

        async def adopt() -> httpx2.Response:
            return await shelf.post("/operations/shelf/adopt-topic", WHY, KEY)

        for _ in "12":
            answer = await asyncio.wait_for(adopt(), 5.0)
            assert (answer.status_code, answer.json()["code"]) == (409, "idempotency-in-progress")
        bus.may_go_on.set()
        adopted = await until(adopt, lambda seen: seen.status_code == 200)
        assert adopted.json() == {"keys": 1, "events": 2}
        assert bus.scans == 1


async def test_a_topic_is_adopted_with_all_its_keys(
    tmp_path: Path, store: MemoryStore, bus: MemoryBus
) -> None:
    await bus.ensure({"telar.shelf": 2})
    events = [*chain("ana", 1, 2, 3), *chain("bea", 1, 2, 3, 4)]
    await CoreSuite.send(bus, *[encode(event) for event in events])
    async with running(mini.SHELF, tmp_path, store, bus, ready=False) as shelf:
        await until(shelf.runtime.faults, lambda faults: faults == ["restored"])
        adopted = await shelf.post("/operations/shelf/adopt-topic", WHY, KEY)
        assert adopted.json() == {"keys": 2, "events": 7}


class TooLate(MemoryTransaction):
    """When an order is about to be written, somebody ends orders."""

    async def write(self, writes: Sequence[Write]) -> None:
        if any(one.collection == ORDERS for one in writes):
            self._store.apply(OVER)
        await super().write(writes)


async def test_an_order_that_is_written_after_their_end_is_refused_and_changes_nothing(
    tmp_path: Path, store: MemoryStore, bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(mini.SHELF, tmp_path, store, bus) as shelf:
        early = await shelf.post("/operations/shelf/breaker/pass", WHY, KEY)
        store.apply({(ORDERS, LAST): None})
        monkeypatch.setattr(type(store), "transactions", TooLate)
        late = await shelf.post("/operations/shelf/breaker/pass", WHY, "order-00002")
        assert (late.status_code, late.json()["code"]) == (503, "not-ready")
        assert len(store.all("audit")) == len(store.all("requests")) == 1
        again = await shelf.post("/operations/shelf/breaker/pass", WHY, KEY)
        assert again.content == early.content, "a repeat has its answer still"
