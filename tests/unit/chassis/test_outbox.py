"""The outbox is read page by page, and what waits in it is measured whatever Kafka does."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.chassis import outbox
from shared.chassis.clock import Clock
from shared.chassis.ids import first_id
from shared.chassis.memory import MemoryBus, MemoryStore
from shared.chassis.memory.bus import MemoryProducer
from shared.chassis.ports import BusError, Document, Outgoing, Place
from tests.integration.core_suite import chain
from tests.support.wait import until
from tests.unit.chassis.gone import Gone
from tests.unit.chassis.test_core import Ticking


@pytest.mark.parametrize(
    ("sizes", "most"),
    [([500] * 40, 2500), ([1] * 900, 50), ([1] * 298 + [500] * 10, 25_000), ([0] * 12, 0)],
)
async def test_pages_hold_some_events_whatever_the_commits_hold(
    sizes: list[int], most: int
) -> None:
    store = MemoryStore()
    commits = [
        {"_id": f"{number:04d}", "events": [{"sequence": 1}] * size}
        for number, size in enumerate(sizes)
    ]
    store.apply({("outbox", str(one["_id"])): one for one in commits})
    pages = [page async for page in outbox.since(store, "0001")]
    assert [one["_id"] for page in pages for one in page] == [one["_id"] for one in commits[2:]]
    assert max(sum(len(one["events"]) for one in page) for page in pages) <= most
    assert len(pages) < 20


async def test_an_empty_outbox_has_no_page() -> None:
    assert [page async for page in outbox.since(MemoryStore(), "")] == []


@pytest.mark.parametrize("off", [timedelta(hours=-2), timedelta(0), timedelta(days=365)])
def test_a_commit_has_an_id_of_the_databases_time_whatever_this_machine_thinks(
    off: timedelta,
) -> None:
    at = Clock(MemoryStore()).now() + off
    documents = [outbox.outbox_document(chain("ana", 1), at) for _ in range(1000)]
    ids = [one["_id"] for one in documents if one is not None]
    assert first_id(at) <= ids[0] < ids[-1] < first_id(at + timedelta(milliseconds=1))
    assert ids == sorted(set(ids))
    assert {UUID(one).version for one in ids} == {7}


class Hung(MemoryBus):
    """A broker that takes each request and acknowledges none."""

    async def producer(self) -> MemoryProducer:
        return HungProducer(self)


class HungProducer(MemoryProducer):
    async def send(self, records: Sequence[Outgoing], deadline: float) -> dict[Place, range]:
        await asyncio.sleep(0.2)
        raise BusError("no answer")


async def test_what_waits_is_measured_although_nothing_can_be_sent_and_ever_more_is_due() -> None:
    store = Ticking()
    at = Clock(store).now() - timedelta(minutes=11)
    commits = [{"_id": f"{number:04d}", "at": at, "send_after": at} for number in range(1000)]
    store.apply({("outbox", str(one["_id"])): {**one, "events": []} for one in commits})
    publisher = outbox.Publisher(store, Hung(), Clock(store))
    sweeping = asyncio.create_task(publisher.run_sweep(0.0))

    async def is_overdue() -> bool:
        return publisher.overdue

    await until(is_overdue, within=20.0)
    sweeping.cancel()


def due(store: MemoryStore, number: int) -> None:
    """So many commits that nobody sent in time, with an event each."""
    at = Clock(store).now() - timedelta(seconds=30)
    for one, event in enumerate(chain("ana", *range(1, number + 1))):
        document = outbox.outbox_document([event], at)
        assert document
        store.apply({("outbox", f"{one:04d}"): {**document, "_id": f"{one:04d}"}})


async def test_what_could_not_be_sent_is_due_again_soon_and_not_when_its_claim_is_over() -> None:
    due(store := Ticking(), 3)
    publisher = outbox.Publisher(store, Hung(), clock := Clock(store))
    assert await publisher.sweep() == 0
    assert await store.before("outbox", "send_after", clock.now(), 10) == []
    soon = clock.now() + outbox.AGAIN
    assert len(await store.before("outbox", "send_after", soon, 10)) == 3


async def test_what_was_claimed_before_the_store_went_is_sent_and_does_not_wait_for_its_claim() -> (
    None
):
    due(store := Gone("outbox"), 3)
    bus = MemoryBus()
    await bus.ensure({"telar.shelf": 1})
    publisher = outbox.Publisher(store, bus, Clock(store))
    assert await publisher.sweep() == 2
    assert len(bus.records("telar.shelf")) == 2


async def test_where_nothing_can_be_claimed_a_sweep_rests() -> None:
    """A full disk: what is due can be read, and that is all."""
    due(store := Gone("outbox", lets=0), outbox.SWEPT)
    publisher = outbox.Publisher(store, MemoryBus(), Clock(store))
    assert await publisher.sweep() < outbox.SWEPT


class Choosy(MemoryBus):
    """A broker that refuses a record for what it is, and what is sent with it."""

    async def producer(self) -> MemoryProducer:
        return ChoosyProducer(self)


class ChoosyProducer(MemoryProducer):
    async def send(self, records: Sequence[Outgoing], deadline: float) -> dict[Place, range]:
        if any(("ce_sequence", b"2") in one.headers for one in records):
            raise BusError("too large")
        return await super().send(records, deadline)


async def test_what_kafka_refuses_holds_up_nothing_that_it_was_found_with() -> None:
    due(store := Ticking(), 3)
    bus = Choosy()
    await bus.ensure({"telar.shelf": 1})
    publisher = outbox.Publisher(store, bus, clock := Clock(store))
    assert await publisher.sweep() == 0
    await publisher._marked()
    assert len(bus.records("telar.shelf")) == 2
    left = await store.before("outbox", "send_after", clock.now() + outbox.CLAIM, 10)
    assert [one["_id"] for one in left] == ["0001"]


async def test_who_was_too_slow_to_claim_anything_goes_on_with_what_lies_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    due(store := Ticking(), 2 * outbox.SWEPT)
    bus = MemoryBus()
    await bus.ensure({"telar.shelf": 1})
    slow, quick = [outbox.Publisher(store, bus, Clock(store)) for _ in "12"]
    before = store.before

    async def late(*which: Any) -> list[Document]:
        found = await before(*which)
        monkeypatch.setattr(store, "before", before)
        assert await quick.sweep() == outbox.SWEPT
        return found

    monkeypatch.setattr(store, "before", late)
    assert await slow.sweep() == outbox.SWEPT
    assert len(bus.records("telar.shelf")) == outbox.SWEPT
    assert await slow.sweep() == outbox.SWEPT
    assert len(bus.records("telar.shelf")) == 2 * outbox.SWEPT


async def test_a_commit_that_was_claimed_again_and_again_keeps_its_age() -> None:
    store = Ticking()
    publisher = outbox.Publisher(store, Hung(), clock := Clock(store))
    now = clock.now()
    for name, age, due in (
        ("old", timedelta(minutes=11), outbox.CLAIM),
        ("new", timedelta(), outbox.GRACE),
    ):
        commit: Document = {"_id": name, "at": now - age, "send_after": now + due, "events": []}
        store.apply({("outbox", name): commit})
    await publisher._measure()
    assert publisher.overdue
    await store.clear("outbox", ["old"], "send_after")
    await publisher._measure()
    assert not publisher.overdue


async def test_more_than_memory_should_hold_is_left_to_the_sweep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "WAITING", 5)
    store, bus = Ticking(), MemoryBus()
    await bus.ensure({"telar.shelf": 1})
    publisher = outbox.Publisher(store, bus, Clock(store))
    events, at = chain("ana", 1, 2, 3), await store.time()
    for number in range(4):
        publisher.offer({"_id": str(number), "at": at}, events)
    publisher.stop()
    await publisher.run()
    assert len(bus.records("telar.shelf")) == 6
    publisher.offer({"_id": "later", "at": at}, events)
    await publisher.run()
    assert len(bus.records("telar.shelf")) == 9
