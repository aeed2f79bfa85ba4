"""What a parked key holds, lets go of, and asks for again."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.chassis import consumer, parking
from shared.chassis.control import CONTROL, Ask, Heads, outgoing, read
from shared.chassis.control import Head as Told
from shared.chassis.envelope import Envelope, encode
from shared.chassis.memory import MemoryBus
from tests.integration.core_suite import CoreSuite, chain
from tests.support import mini
from tests.support.app import Running, running
from tests.support.wait import until
from tests.unit.chassis.test_core import Ticking

SHELF = "telar.shelf"


@pytest.fixture
def bus() -> MemoryBus:
    """Without a publisher: nobody says where a stream ends, and nobody answers."""
    return MemoryBus()


@pytest.fixture
def store() -> Ticking:
    return Ticking()


@pytest.fixture
async def reader(
    tmp_path: Path, store: Ticking, bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Running]:
    monkeypatch.setattr(consumer, "COMMIT_EVERY", 0.1)
    async with running(mini.READER, tmp_path, store, bus) as service:
        yield service


async def send(bus: MemoryBus, *events: Envelope) -> None:
    await CoreSuite.send(bus, *map(encode, events))


async def held(store: Ticking, *numbers: int, dropped: bool = False) -> dict[str, Any]:
    """What is parked, once these events are held and others are dropped, or not."""

    async def look() -> list[Any]:
        return store.all("parked")

    def is_so(found: list[Any]) -> bool:
        return [
            ([one["sequence"] for one in parked["events"]], parked["dropped"]) for parked in found
        ] == [([*numbers], dropped)]

    return dict((await until(look, is_so))[0])


async def asked(bus: MemoryBus) -> Ask:
    """The first ask."""

    async def look() -> list[Ask]:
        said = map(read, bus.records(CONTROL))
        return [one for one in said if isinstance(one, Ask)]

    return (await until(look, bool))[0]


@pytest.mark.parametrize("bound", ["HELD_EVENTS", "HELD_BYTES"])
async def test_a_full_key_takes_the_event_it_waits_for_and_asks_for_what_it_let_go(
    reader: Running, store: Ticking, bus: MemoryBus, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    one, two, *later = chain("ana", 1, 2, 3, 4, 5, 6)
    most = 3 if bound == "HELD_EVENTS" else sum(len(event.value) for event in later[:3])
    monkeypatch.setattr(parking, bound, most)
    await send(bus, one, *later)
    await held(store, 3, 4, 5, dropped=True)
    await send(bus, two)
    await CoreSuite.card(reader, "ana", [1, 2, 3, 4])
    parked = await held(store)
    assert (parked["reason"], parked["known"]) == ("gap", 6)
    assert (await asked(bus)).first == 5, "at once, and not when its patience is over"
    await send(bus, *later[-2:])
    await CoreSuite.card(reader, "ana", [1, 2, 3, 4, 5, 6])
    assert store.all("parked") == []


async def test_a_full_key_lets_the_highest_go_for_a_lower_one(
    reader: Running, store: Ticking, bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "HELD_EVENTS", 3)
    one, two, *later = chain("ana", 1, 2, 3, 4, 5, 6)
    await send(bus, one, *reversed(later))
    await held(store, 3, 4, 5, dropped=True)
    await send(bus, two)
    await CoreSuite.card(reader, "ana", [1, 2, 3, 4])
    assert (await held(store))["known"] == 6


async def test_what_was_dropped_stays_known_while_nothing_moves(
    reader: Running, store: Ticking, bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "HELD_EVENTS", 2)
    monkeypatch.setattr(parking, "GAP_PATIENCE", parking.BACKOFF_FIRST / 20)
    monkeypatch.setattr(parking, "BACKOFF_MOST", parking.GAP_PATIENCE)
    one, _, *later = chain("ana", 1, 2, 3, 4, 5)
    await send(bus, one, *later)

    async def attempts() -> int:
        return sum(parked["attempts"] for parked in store.all("parked"))

    await until(attempts, lambda count: count > 1)
    await held(store, 3, 4, dropped=True)


async def test_an_old_word_of_the_publisher_does_not_release_a_key_below_what_is_known(
    reader: Running, store: Ticking, bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "HELD_EVENTS", 1)
    one, two, three, four = chain("ana", 1, 2, 3, 4)
    await send(bus, one, three, four)
    await held(store, 3, dropped=True)
    await send(bus, two)
    await held(store)
    at = reader.runtime.clock.now()
    head = Told(key="ana", sequence=three.sequence, digest=three.digest)
    repair, heard = reader.runtime.repair, list[Heads]()
    hear = repair.hear

    def noted(said: Heads) -> None:
        heard.append(said)
        hear(said)

    monkeypatch.setattr(repair, "hear", noted)
    await CoreSuite.send(bus, outgoing(Heads(at=at, topic=SHELF, heads=(head,))))

    async def compared() -> bool:
        return bool(heard) and not repair._heard

    await send(bus, *chain("eva", 7))
    await CoreSuite.card(reader, "eva", [7])
    await until(compared)
    assert (await held(store))["known"] == 4


async def test_a_dead_key_waits_for_an_operator_whatever_arrives_behind_it(
    reader: Running, store: Ticking, bus: MemoryBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "ATTEMPTS", 2)
    monkeypatch.setattr(parking, "BACKOFF_FIRST", timedelta(0))
    monkeypatch.setattr(parking, "GAP_PATIENCE", timedelta(0))
    mini.poison.add(13)
    one, ill, three, four = chain("ill", 1, 13, 2, 3)
    await send(bus, one, ill, three)
    await until(lambda: reasons(store), lambda seen: seen == ["dead"])
    await send(bus, four)
    parked = await held(store, 2, 3, 4)
    assert ("next_attempt" in parked, parked["attempts"]) == (False, 2)


async def reasons(store: Ticking) -> list[str]:
    return [one["reason"] for one in store.all("parked")]
