"""A topic is adopted once, however many processes do it side by side."""

import asyncio

import pytest

from shared.chassis import tail
from shared.chassis.adoption import adopt_topic
from shared.chassis.envelope import encode
from shared.chassis.memory import MemoryBus, MemoryStore
from shared.chassis.ports import StoreError
from shared.chassis.tail import unknown
from tests.integration.core_suite import CoreSuite, chain
from tests.unit.chassis.test_tail import Process


async def test_who_comes_second_takes_over_nothing() -> None:
    bus, store = MemoryBus(), MemoryStore()
    await bus.ensure({"telar.shelf": 2})
    events = chain("ana", 1, 2, 3)
    await CoreSuite.send(bus, *map(encode, events))

    async def second() -> None:
        await adopt_topic("telar.shelf", store, bus)

    store.faults.meanwhile("some", second, after=True)  # when the first has seen what is unknown
    first = await adopt_topic("telar.shelf", store, bus)
    assert (first.keys, first.events) == (1, 0)
    (commit,) = store.all("outbox")
    assert [one["sequence"] for one in commit["events"]] == [1, 2, 3]
    assert await unknown(store, "telar.shelf", {"ana": events[-1]}) == {}


async def test_a_second_adoption_at_once_leaves_one_copy_of_each_event() -> None:
    bus, store = MemoryBus(), MemoryStore()
    await bus.ensure({"telar.shelf": 2})
    await CoreSuite.send(bus, *[encode(one) for key in "abc" for one in chain(key, 1, 2)])
    both = [adopt_topic("telar.shelf", store, bus) for _ in "12"]
    await asyncio.gather(*both, return_exceptions=True)  # who is in conflict is told so
    kept = [(one["key"], one["sequence"]) for row in store.all("outbox") for one in row["events"]]
    assert sorted(kept) == [(key, number) for key in "abc" for number in (1, 2)]


async def test_until_all_is_taken_over_the_end_of_the_topic_shows_that_something_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tail, "LOOK_BACK", 1)
    process = Process(MemoryStore(), MemoryBus())
    store, bus = process.store, process.bus
    await process.starts()
    first, last = chain("ana", 1, 2)
    others = [event for key in ("bea", "eva") for event in chain(key, 1)]
    await CoreSuite.send(bus, *map(encode, [first, *others, last]))
    for _ in range(2):
        store.faults.meanwhile("commit", nothing)
        store.faults.fail_next("commit", StoreError("it dies"))
        with pytest.raises(StoreError):
            await adopt_topic("telar.shelf", store, bus)
        assert set(await process.tail.ahead()) == {"ana"}
    await adopt_topic("telar.shelf", store, bus)
    assert await process.tail.ahead() == {}
    assert {one["_id"] for one in store.all("streams")} == {"ana", "bea", "eva"}


async def nothing() -> None:
    """Let one call pass."""
