"""Where streams end is said page by page, and what was said once is not said for ever anew."""

from datetime import datetime, timedelta

import pytest

from shared.chassis import duties, outbox, streams
from shared.chassis.clock import Clock
from shared.chassis.control import CONTROL, Ask, Heads, read
from shared.chassis.duties import Duties, Duty
from shared.chassis.envelope import Envelope
from shared.chassis.heads import RECENT, Announcer
from shared.chassis.memory import MemoryBus
from shared.chassis.memory.documents import stored
from shared.chassis.memory.store import MemoryStore
from shared.chassis.outbox import Publisher, outbox_document
from shared.chassis.ports import BusError, StoreError
from tests.integration.core_suite import chain
from tests.unit.chassis.test_core import Ticking

TOPIC = "telar.shelf"


def said(bus: MemoryBus) -> list[str]:
    messages = [read(record) for record in bus.records(CONTROL)]
    return [head.key for one in messages if isinstance(one, Heads) for head in one.heads]


def commit(store: MemoryStore, events: list[Envelope], at: datetime) -> None:
    """One that was, with the streams that it left, or that a later one did."""
    document = outbox_document(events, at)
    assert document is not None
    store.apply({("outbox", str(document["_id"])): document})
    for event in events:
        reach(store, event)


def reach(store: MemoryStore, event: Envelope) -> None:
    """The stream goes so far."""
    there = store.committed(("streams", event.key)) or streams.fresh(event.key)
    if streams.head(there, event.topic)[0] < event.sequence:
        after = streams.take_over(there, event.topic, event.sequence, event.digest)
        store.apply({("streams", event.key): stored(after)})


async def announcer(store: MemoryStore, bus: MemoryBus, count: int) -> tuple[Announcer, Duties]:
    """Of a topic with so many quiet keys, a commit each."""
    clock = Clock(store)
    await clock.sync()
    await bus.ensure({TOPIC: 1, CONTROL: 1})
    at = clock.now() - timedelta(seconds=20)
    for number in range(count):
        events: list[Envelope] = chain(f"key-{number:03d}", 1)
        commit(store, events, at)
    mine = Duties(store, clock)
    await mine.ensure(RECENT)
    return Announcer(TOPIC, store, clock, Publisher(store, bus, clock), mine), mine


async def test_quiet_keys_are_said_once_each_however_long_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(duties, "CLAIM", timedelta(0))  # over at once: every page goes on
    monkeypatch.setattr(outbox, "_MOST", 5)
    store, bus = Ticking(), MemoryBus()
    telling, _ = await announcer(store, bus, 30)
    await telling.look()
    assert said(bus) == [f"key-{number:03d}" for number in range(30)]


@pytest.mark.parametrize("most", [1, 5])
async def test_the_highest_number_of_a_key_is_said_whoever_committed_it_when(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids are in the order of each replica's clock, and two of them may be seconds apart."""
    monkeypatch.setattr(outbox, "_FIRST", most)
    store, bus = Ticking(), MemoryBus()
    telling, _ = await announcer(store, bus, 0)
    at = telling.clock.now() - timedelta(seconds=20)
    five, six = chain("ana", 1, 2, 3, 4, 5, 6)[4:]
    for event in (six, five):
        commit(store, [event], at)
    await telling.look()
    messages = [read(record) for record in bus.records(CONTROL)]
    heads = [head for one in messages if isinstance(one, Heads) for head in one.heads]
    assert [(head.sequence, head.digest) for head in heads] == [(6, six.digest)]


async def test_a_key_that_changes_now_is_left_to_its_next_event() -> None:
    store, bus = Ticking(), MemoryBus()
    telling, _ = await announcer(store, bus, 2)
    commit(store, chain("key-001", 1, 2)[1:], telling.clock.now())
    await telling.look()
    assert said(bus) == ["key-000"]


async def test_of_a_key_that_went_on_meanwhile_nothing_is_said() -> None:
    """Its last event may not be in Kafka yet: whoever heard of it would park the key as a gap."""
    store, bus = Ticking(), MemoryBus()
    telling, _ = await announcer(store, bus, 2)
    reach(store, chain("key-001", 1, 2)[1])
    await telling.look()
    assert said(bus) == ["key-000"]


async def test_what_was_said_before_it_broke_off_is_not_said_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(duties, "CLAIM", timedelta(0))
    monkeypatch.setattr(outbox, "_MOST", 5)
    store, bus = Ticking(), MemoryBus()
    telling, mine = await announcer(store, bus, 30)
    duty = await mine.claim(RECENT)
    assert duty is not None
    calls = 0

    async def breaks(page: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise BusError("away")

    monkeypatch.setattr(telling, "_say", breaks)
    with pytest.raises(BusError):
        await telling._recent(duty)
    (noted,) = [one for one in store.all("duties") if one["_id"] == RECENT]
    assert noted["since"] == store.all("outbox")[0]["at"]


async def test_who_was_overtaken_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duties, "CLAIM", timedelta(0))
    store, bus = Ticking(), MemoryBus()
    telling, mine = await announcer(store, bus, 30)
    duty = await mine.claim(RECENT)
    assert duty is not None
    theirs = Duty(store, telling.clock, duty.noted)
    await theirs.done(telling.clock.now() + timedelta(seconds=5))
    with pytest.raises(StoreError):
        await telling._recent(duty)


async def test_an_ask_that_could_not_be_answered_is_answered_when_it_can_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, bus = Ticking(), MemoryBus()
    telling, _ = await announcer(store, bus, 1)
    send = telling.publisher.send

    async def away(_: object) -> None:
        raise BusError("away")

    at = telling.clock.now()
    telling.asked(Ask(at=at, topic=TOPIC, key="key-000", first=1, last=1, known=1))
    monkeypatch.setattr(telling.publisher, "send", away)
    for _ in range(2):
        with pytest.raises(BusError):
            await telling.look()
    monkeypatch.setattr(telling.publisher, "send", send)
    await telling.look()
    assert [one.key for one in bus.records(TOPIC)] == [b"key-000"]
    telling.asked(Ask(at=at, topic=TOPIC, key="key-000", first=1, last=1, known=1))
    await telling.look()
    assert len(bus.records(TOPIC)) == 1
