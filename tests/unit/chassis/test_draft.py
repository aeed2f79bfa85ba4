"""The next batch is drafted while one commits, on what that one is about to leave."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import bson

from shared.chassis.batch import Batch, Cell, Ref
from shared.chassis.clock import Clock
from shared.chassis.envelope import decode, encode
from shared.chassis.fold import ENVELOPE_BYTES
from shared.chassis.memory import MemoryStore
from shared.chassis.ports import Conflict, Loaded, Record, StoreError
from shared.chassis.work import Arrival, Reading, caused_by
from shared.chassis.writer import Writer
from shared.model import Handlers
from tests.integration.core_suite import chain
from tests.support import mini
from tests.support.spec import NOON
from tests.support.wait import until

A_BATCH = 3


@asynccontextmanager
async def writing(store: MemoryStore) -> AsyncIterator[Writer]:
    """A writer of small batches."""
    writer = Writer(store, Clock(store), mini.READER.handlers, lambda *_: None)
    writer._queue.most = A_BATCH
    running = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        writer.stop()
        await asyncio.wait_for(running, 5.0)


def read(*numbers: int, reading: Reading) -> list[Arrival]:
    """Events of ana, as a consumer has read them."""
    sent = [encode(one) for one in chain("ana", *numbers)]
    records = [
        Record(one.topic, 0, number, one.key, one.value, one.headers)
        for number, one in zip(numbers, sent, strict=True)
    ]
    events = [decode(record) for record in records]
    return [
        Arrival(caused_by(event, NOON), record, event, reading)
        for event, record in zip(events, records, strict=True)
    ]


async def outcomes(works: Sequence[Arrival]) -> list[Any]:
    """How each ended."""
    return await asyncio.gather(*(one.future for one in works), return_exceptions=True)


def card(store: MemoryStore) -> Any:
    """What came of it."""
    return (store.committed(("cards", "ana")) or {}).get("books")


async def test_the_next_batch_is_folded_before_this_one_is_committed() -> None:
    store, may_commit = MemoryStore(), asyncio.Event()
    store.faults.meanwhile("commit", may_commit.wait)
    async with writing(store) as writer:
        works = read(*range(1, 2 * A_BATCH + 1), reading=Reading())
        writer.submit(works)

        async def loads() -> int:
            return store.faults.calls["load"]

        await until(loads, lambda count: count >= 2)
        assert store.faults.calls["commit"] == 1
        assert card(store) is None
        may_commit.set()
        assert await outcomes(works) == ["applied"] * len(works)
    assert card(store) == sum(range(1, 2 * A_BATCH + 1))
    assert store.faults.calls["write"] == store.faults.calls["commit"] == 2
    assert [row["next"] for row in store.all("offsets")] == [2 * A_BATCH + 1]


async def test_a_draft_is_folded_again_if_the_batch_before_it_must_be_written_again() -> None:
    store = MemoryStore()
    store.faults.fail_next("commit", Conflict)
    async with writing(store) as writer:
        works = read(*range(1, 3 * A_BATCH + 1), reading=Reading())
        writer.submit(works)
        assert await outcomes(works) == ["applied"] * len(works)
    assert card(store) == sum(range(1, 3 * A_BATCH + 1))
    assert store.all("parked") == []


async def test_what_another_replica_writes_meanwhile_is_seen() -> None:
    """It moves the key on after the draft was folded: the draft would move it back."""
    store = MemoryStore()

    async def rival() -> None:
        async with writing(store) as other:
            works = read(*range(1, 2 * A_BATCH + 2), reading=Reading())
            other.submit(works)
            await outcomes(works)

    store.faults.meanwhile("commit", rival, after=True)
    async with writing(store) as writer:
        works = read(*range(1, 2 * A_BATCH + 1), reading=Reading())
        writer.submit(works)
        assert await outcomes(works) == ["applied"] * A_BATCH + ["duplicate"] * A_BATCH
    assert card(store) == sum(range(1, 2 * A_BATCH + 2))


async def test_what_was_read_after_a_record_that_failed_is_not_written() -> None:
    """It is read again: written now, it would find a gap."""
    store, reading = MemoryStore(), Reading()
    store.faults.fail_next("commit", StoreError)
    async with writing(store) as writer:
        works = read(*range(1, 2 * A_BATCH + 1), reading=reading)
        writer.submit(works)
        ended = await outcomes(works)
        assert all(isinstance(one, Exception) for one in ended)
        assert store.data == {}
        again = read(*range(1, 2 * A_BATCH + 1), reading=Reading())
        writer.submit(again)
        assert await outcomes(again) == ["applied"] * len(again)
    assert store.all("parked") == []


def test_what_an_event_takes_besides_its_value_counts_for_the_size_of_a_batch() -> None:
    """Many small ones are a large outbox document, and that has a limit."""
    for one in chain("a" * 36, 1, 2, 3):
        whole = one._replace(id="i" * 36, cause="c" * 36, correlation="c" * 36, actor="a" * 36)
        assert len(bson.encode(whole.to_document())) - len(whole.value) < ENVELOPE_BYTES


def test_a_draft_takes_from_the_batch_before_what_its_snapshot_does_not_show() -> None:
    ref, handlers = Ref("parked", "one"), Handlers()
    before = Batch(handlers)
    before.add([ref], {"parked": {"one": {"_id": "one", "version": 4}}})
    before.cells[ref].value, before.cells[ref].changed = None, True  # it deletes it

    def seen(loaded: Loaded) -> Cell:
        draft = Batch(handlers, before)
        draft.add([ref], loaded)
        return draft.cells[ref]

    assert seen({"parked": {"one": {"_id": "one", "version": 4}}}) == Cell(None, None)
    assert seen({}) == Cell(None, None)
    new = {"_id": "one", "version": 1}  # somebody wrote it anew since
    assert seen({"parked": {"one": new}}) == Cell(1, new)
