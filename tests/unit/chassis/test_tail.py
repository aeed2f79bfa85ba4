"""A topic that lost its tail is whole again, whatever was put behind the cut meanwhile."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from shared.chassis.clock import Clock
from shared.chassis.duties import Duties, Duty
from shared.chassis.ends import Cut, Ends
from shared.chassis.envelope import Envelope, timestamp
from shared.chassis.ids import first_id
from shared.chassis.memory import MemoryBus, MemoryStore
from shared.chassis.outbox import Publisher
from shared.chassis.ports import BusError, StoreError
from shared.chassis.tail import TAIL, Tail
from tests.integration.core_suite import chain
from tests.unit.chassis.test_core import Ticking

PLACE = ("telar.shelf", 0)
NOW = 60
"""A minute of the day on which everything happens."""


class Process:
    """One process of a publisher."""

    def __init__(self, store: MemoryStore, bus: MemoryBus) -> None:
        self.store, self.bus, self.clock = store, bus, Clock(store)
        self.publisher = Publisher(store, bus, self.clock)
        self.duties = Duties(store, self.clock)
        self.tail = Tail("telar.shelf", store, bus, self.publisher, self._ensure)

    async def _ensure(self) -> None:
        await self.bus.ensure({"telar.shelf": 1})

    async def starts(self) -> bool:
        await self._ensure()
        return await self.lost()

    async def lost(self) -> bool:
        """Look whether anything is, as who has the duty."""
        return await self.tail.lost(await self.claimed())

    async def claimed(self) -> Duty:
        await self.duties.ensure(TAIL)
        noted = await self.store.get("duties", TAIL)
        assert noted is not None
        return Duty(self.store, self.clock, noted)

    async def publish(self, *minutes: float) -> None:
        """A commit at each of these minutes, sent and marked."""
        for minute in minutes:
            event, at = happened(minute)
            document = {"_id": first_id(at), "at": at, "events": [event.to_document()]}
            self.store.apply({("outbox", document["_id"]): {**document, "send_after": at}})
            self.publisher.offer(document, [event])
        self.publisher.stop()
        await self.publisher.run()

    def there(self) -> set[str]:
        return {(one.key or b"").decode() for one in self.bus.records("telar.shelf")}


def happened(minute: float) -> tuple[Envelope, datetime]:
    (event,) = chain(f"at-{minute}", 1)
    at = event.at + timedelta(minutes=minute)
    return event._replace(time=timestamp(at)), at


def keys(minutes: Sequence[float]) -> set[str]:
    return {f"at-{minute}" for minute in minutes}


@pytest.fixture
async def one() -> Process:
    process = Process(Ticking(), MemoryBus())
    assert not await process.starts()
    return process


async def test_what_was_lost_is_sent_again_although_as_much_came_after_it(one: Process) -> None:
    await one.publish(1, 2, 3)
    one.bus.cut(PLACE, 2)
    await one.publish(4, 5, 6)
    assert await one.lost()
    assert one.there() == keys(range(1, 7))
    assert not await one.lost()


async def test_a_process_that_has_sent_nothing_yet_sees_it_too(one: Process) -> None:
    await one.publish(1, 2, 3)
    other = Process(one.store, one.bus)
    assert not await other.starts()
    one.bus.cut(PLACE, 2)
    await other.publish(4, 5, 6)
    assert await other.lost()
    assert one.there() == keys(range(1, 7))


async def test_what_another_process_was_told_meanwhile_counts_too(
    one: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Process(one.store, one.bus)
    assert not await other.starts()
    await one.publish(1, 2, 3)
    duties = Duties(one.store, one.clock)
    await duties.ensure(TAIL)
    assert await duties.claim(TAIL)  # it is not the other one's to look
    monkeypatch.setattr("shared.chassis.tail.ASK_EVERY", 0.0)
    claims = iter([None])

    async def claim(_name: str) -> None:
        next(claims)  # the second ends its loop

    monkeypatch.setattr(duties, "claim", claim)
    with pytest.raises(RuntimeError):
        await other.tail.run(other.clock, duties)
    one.bus.cut(PLACE, 2)
    await other.publish(4, 5, 6)
    assert await one.lost()
    assert one.there() == keys(range(1, 7))


async def test_what_is_older_than_what_came_after_the_cut_is_sent_again(one: Process) -> None:
    await one.publish(1, 2, 3, 4)
    one.bus.cut(PLACE, 3)
    await one.publish(NOW)
    assert await one.lost()
    assert one.there() == keys([1, 2, 3, 4, NOW])


async def test_of_what_lies_well_before_the_cut_nothing_is_sent_again(one: Process) -> None:
    await one.publish(1, NOW, NOW + 1)
    one.bus.cut(PLACE, 1)
    await one.publish(NOW + 2, NOW + 3)
    assert await one.lost()
    sent = [(record.key or b"").decode() for record in one.bus.records("telar.shelf")]
    assert sent.count("at-1") == 1


async def test_a_process_that_dies_while_it_sends_again_leaves_it_to_the_next(
    one: Process,
) -> None:
    await one.publish(1, 2, 3)
    one.bus.cut(PLACE, 2)
    one.bus.faults.fail_next("send", BusError("it dies"))
    with pytest.raises(BusError):
        await one.lost()
    other = Process(one.store, one.bus)
    await other.publish(4, 5, 6)
    assert await other.starts()
    assert one.there() == keys(range(1, 7))
    assert not await one.lost()


async def test_what_is_lost_once_more_while_it_is_sent_again_is_not_forgotten(
    one: Process,
) -> None:
    await one.publish(*range(1, 13))
    one.bus.cut(PLACE, 10)

    async def cut_again() -> None:
        one.bus.cut(PLACE, 4)

    async def nothing() -> None:
        pass

    one.bus.faults.meanwhile("send", nothing)
    one.bus.faults.meanwhile("send", cut_again)
    assert await one.lost()
    assert one.there() != keys(range(1, 13))
    assert await one.lost()
    assert one.there() == keys(range(1, 13))
    assert not await one.lost()


async def test_who_sends_again_keeps_the_duty_and_nobody_else_does(one: Process) -> None:
    await one.publish(1, 2, 3)
    one.bus.cut(PLACE, 2)
    mine, theirs = await one.claimed(), await one.claimed()
    assert await one.tail.lost(mine)
    assert mine.noted["at"] > theirs.noted["at"]
    one.bus.cut(PLACE, 1)
    with pytest.raises(StoreError):
        await one.tail.lost(theirs)


async def test_where_a_log_was_cut_is_kept_with_what_is_noted_next_if_not_at_once() -> None:
    store = MemoryStore()
    ends = Ends(store)
    store.faults.fail_next("commit", StoreError("away"))
    await ends.acknowledged({PLACE: range(3, 5)}, {PLACE: 9})
    assert ends.known == {PLACE: 5}
    await ends.note({PLACE: 5})
    again = Ends(store)
    assert await again.cuts(await again.learn(), {PLACE: 5}) == {PLACE: Cut(3, 0)}


async def test_an_end_below_that_of_another_process_is_no_loss() -> None:
    store = MemoryStore()
    ours, theirs = Ends(store), Ends(store)
    await theirs.note({PLACE: 9})
    await ours.acknowledged({PLACE: range(3, 5)}, {PLACE: 3})
    await ours.note({PLACE: 5})
    assert await ours.learn() == {PLACE: 9}
    assert await ours.cuts({PLACE: 9}, {PLACE: 9}) == {}
