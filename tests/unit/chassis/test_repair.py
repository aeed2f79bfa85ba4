"""Many keys wait, Kafka is slow: each is taken once, and a topic is asked about once."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.chassis import parking, repair
from shared.chassis.control import CONTROL, Ask, Head, Heads, read
from shared.chassis.envelope import Envelope, encode
from shared.chassis.memory import MemoryBus
from shared.chassis.ports import BusError, Instant, Place, StoreUnavailable
from shared.chassis.repair import Progress, Repair
from tests.integration.core_suite import CoreSuite, chain
from tests.support import mini
from tests.support.app import Running, running
from tests.support.wait import until
from tests.unit.chassis.test_core import Ticking

SHELF = "telar.shelf"
KEYS = ("ana", "eva", "zoe", "gil")


class Asked(MemoryBus):
    """It counts who asks how far a group has read."""

    asked = 0

    async def progress(self, group: str, topic: str) -> dict[Place, tuple[int, int]]:
        self.asked += 1
        async with self.faults.around("progress"):
            return await super().progress(group, topic)


@pytest.fixture
def bus() -> Asked:
    return Asked()


@pytest.fixture
def store() -> Ticking:
    return Ticking()


@pytest.fixture
async def reader(
    tmp_path: Path, store: Ticking, bus: Asked, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Running]:
    """Whose repair looks only where a test says so."""

    async def never(_: Repair) -> None:
        """In place of its loop."""

    monkeypatch.setattr(Repair, "run", never)
    monkeypatch.setattr(parking, "GAP_PATIENCE", timedelta(0))
    async with running(mini.READER, tmp_path, store, bus) as service:
        yield service


async def park(store: Ticking, bus: Asked, *events: Envelope) -> None:
    await CoreSuite.send(bus, *map(encode, events))

    async def count() -> int:
        return len(store.all("parked"))

    await until(count, lambda found: found == len(events))


def asks(bus: Asked) -> list[str]:
    said = map(read, bus.records(CONTROL))
    return sorted(one.key for one in said if isinstance(one, Ask))


async def reached(progress: Progress, name: str) -> bool:
    return progress.is_enough(name, await progress.of(SHELF))


async def looked(reader: Running) -> None:
    """Look until the group has read as far as the topic goes."""
    repairing = reader.runtime.repair
    await until(lambda: reached(repairing._progress, "test"))
    await repairing.look()


async def test_a_topic_is_asked_about_once_a_look(
    reader: Running, store: Ticking, bus: Asked
) -> None:
    await park(store, bus, *(chain(key, 1, 2)[1] for key in KEYS))
    before = bus.asked
    await reader.runtime.repair.look()
    assert bus.asked == before + 1


async def test_a_claim_is_of_the_moment_in_which_it_is_made(
    reader: Running, store: Ticking, bus: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    await park(store, bus, *(chain(key, 1, 2)[1] for key in KEYS))
    clock, claims = reader.runtime.clock, list[bool]()
    late = timedelta(0)
    now, move = clock.now, store.move
    monkeypatch.setattr(clock, "now", lambda: now() + late)

    async def slow(*_: object) -> dict[Place, tuple[int, int]]:
        nonlocal late
        late += 2 * repair.CLAIM
        return {}  # nothing is behind

    async def noted(place: Instant, was: datetime, to: datetime, also: Any = None) -> bool:
        claims.append(to > clock.now())
        return await move(place, was, to, also)

    monkeypatch.setattr(bus, "progress", slow)
    monkeypatch.setattr(store, "move", noted)
    await reader.runtime.repair.look()
    assert claims == [True] * len(KEYS)
    assert {one["attempts"] for one in store.all("parked")} == {1}


async def test_what_could_not_be_asked_for_is_asked_for_soon(
    reader: Running, store: Ticking, bus: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    await park(store, bus, chain("ana", 1, 2)[1])

    async def away(_: object) -> None:
        raise BusError("away")

    monkeypatch.setattr(reader.runtime.repair, "_send", away)
    with pytest.raises(BusError):
        await looked(reader)
    (parked,) = store.all("parked")
    assert parked["next_attempt"] <= reader.runtime.clock.now() + repair.EARLY


async def test_gaps_wait_for_kafka_and_nothing_else_does(
    reader: Running, store: Ticking, bus: Asked
) -> None:
    mini.poison.add(13)
    await park(store, bus, *(chain(key, 1, 2)[1] for key in KEYS), *chain("ill", 13))
    mini.poison.clear()
    bus.faults.fail_next("progress", BusError)
    (ill,) = [one for one in store.all("parked") if one["key"] == "ill"]

    async def is_due() -> bool:
        return reader.runtime.clock.now() > ill["next_attempt"]

    await until(is_due)
    await reader.runtime.repair.look()
    await CoreSuite.card(reader, "ill", [13])
    assert asks(bus) == []
    assert bus.asked == 1


async def test_every_gap_is_asked_for_once_the_topic_was_read(
    reader: Running, store: Ticking, bus: Asked
) -> None:
    await park(store, bus, *(chain(key, 1, 2)[1] for key in KEYS))
    await looked(reader)
    assert asks(bus) == sorted(KEYS)


async def test_what_nobody_asks_about_any_more_is_forgotten(
    bus: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bus.ensure({SHELF: 1})
    await CoreSuite.send(bus, *map(encode, chain("ana", 1)))
    progress = Progress(bus, "reader")
    assert not await reached(progress, "ana")
    assert not await reached(progress, "eva")
    assert [*progress._wanted] == ["ana", "eva"]
    monkeypatch.setattr(repair, "FORGET", 0.0)
    assert not await reached(progress, "eva")
    assert [*progress._wanted] == ["eva"]


async def test_a_head_that_could_not_be_compared_is_compared_later(
    reader: Running, store: Ticking, bus: Asked
) -> None:
    repairing, (event,) = reader.runtime.repair, chain("ana", 1)
    head = Head(key="ana", sequence=event.sequence, digest=event.digest)
    at = reader.runtime.clock.now()
    repairing.hear(Heads(at=at, topic=SHELF, heads=(head,)))
    await until(lambda: reached(repairing._progress, "test"))
    store.faults.fail_next("some", StoreUnavailable)
    with pytest.raises(StoreUnavailable):
        await repairing.listen()
    repairing.hear(Heads(at=at, topic=SHELF, heads=(head,)))
    before = bus.asked
    await repairing.listen()
    assert bus.asked == before + 1, "once for both"
    assert [one["key"] for one in store.all("parked")] == ["ana"]
    assert not repairing._heard


async def test_heads_wait_beside_each_other_for_a_topic_that_goes_on(
    reader: Running, bus: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after another each waited for another second of it, and more came than were compared."""
    repairing, (event,) = reader.runtime.repair, chain("ana", 1)
    head = Head(key="ana", sequence=event.sequence, digest=event.digest)
    for _ in KEYS:
        repairing.hear(Heads(at=reader.runtime.clock.now(), topic=SHELF, heads=(head,)))
    ends = iter((5, 9))
    monkeypatch.setattr(repair, "LISTEN_AGAIN", 0.0)
    noted = 0

    async def goes_on(*_: object) -> dict[Place, tuple[int, int]]:
        nonlocal noted
        was, noted = noted, next(ends)
        return {(SHELF, 0): (was, noted)}

    monkeypatch.setattr(bus, "progress", goes_on)
    await repairing.listen()
    assert len(repairing._heard) == len(KEYS)
    await repairing.listen()
    assert not repairing._heard


async def test_what_was_heard_has_its_turn_and_no_more(
    reader: Running, store: Ticking, bus: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parked keys wait behind it."""
    monkeypatch.setattr(repair, "LISTENING", 0.0)
    repairing, (event,) = reader.runtime.repair, chain("ana", 1)
    head = Head(key="ana", sequence=event.sequence, digest=event.digest)
    for _ in KEYS:
        repairing.hear(Heads(at=reader.runtime.clock.now(), topic=SHELF, heads=(head,)))
    await until(lambda: reached(repairing._progress, "test"))
    for left in (3, 2, 1, 0):
        await repairing.listen()
        assert len(repairing._heard) == left
