"""What a consumer notes of how far it has read."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from shared.chassis import consumer, polls, queue, writer
from shared.chassis.envelope import encode
from shared.chassis.memory import MemoryBus, MemoryStore
from shared.chassis.memory.bus import MemoryConsumer
from shared.chassis.ports import BusError, Conflict, Place, Record, StoreError, StoreUnavailable
from tests.integration.core_suite import CoreSuite, chain
from tests.support import mini
from tests.support.app import running
from tests.support.wait import until
from tests.unit.chassis.test_core import Ticking


class Silent(MemoryConsumer):
    """A member whose polls never come back."""

    polling = asyncio.Event()

    async def poll(self) -> list[Record]:
        self.polling.set()
        await asyncio.Event().wait()
        return []


class SilentBus(MemoryBus):
    consumers = Silent


async def test_offsets_that_could_not_be_noted_are_noted_later_without_a_new_record(
    tmp_path: Path,
) -> None:
    bus = MemoryBus()
    async with running(mini.READER, tmp_path, Ticking(), bus):
        bus.faults.fail_next("commit", BusError)
        await (await bus.producer()).send([encode(event) for event in chain("ana", 1, 2)], 5.0)

        async def noted() -> bool:
            progress = await bus.progress("reader", "telar.shelf")
            return all(at == end for at, end in progress.values())

        await until(noted)
        assert bus.faults.calls["commit"] >= 2


class Strict(MemoryConsumer):
    """As the real one, it notes no empty set of offsets."""

    async def commit(self, offsets: Mapping[Place, int], deadline: float) -> None:
        if not offsets:
            raise ValueError("no offsets")
        await super().commit(offsets, deadline)


class StrictBus(MemoryBus):
    consumers = Strict


async def test_a_member_that_has_lost_its_partitions_is_let_go_without_noting_anything(
    tmp_path: Path,
) -> None:
    bus = StrictBus()
    async with running(mini.READER, tmp_path, Ticking(), bus) as reader:
        intake = reader.runtime.intake
        intake._offsets = {("telar.shelf", 17): 5}  # which is nobody's
        await intake._drop(1.0)
        await (await bus.producer()).send([encode(event) for event in chain("ana", 1)], 5.0)
        await until(lambda: reader.json("/cards/ana"), lambda card: card.get("books") == 1)


async def test_a_poll_that_is_written_in_parts_is_noted_to_its_end(tmp_path: Path) -> None:
    bus, store = MemoryBus(), Ticking()
    async with running(mini.READER, tmp_path, store, bus) as reader:
        store.faults.fail_next("write", Conflict, times=2)  # then it goes in halves
        await (await bus.producer()).send([encode(event) for event in chain("ana", 1, 2, 3, 4)], 5)
        await until(lambda: reader.json("/cards/ana"), lambda card: card.get("books") == 10)
    assert [row["next"] for row in store.all("offsets")] == [4]


async def test_a_gap_that_closes_within_a_poll_is_written_at_once(tmp_path: Path) -> None:
    bus, store = MemoryBus(), Ticking()
    before = REGISTRY.get_sample_value("telar_conflicts_total")
    async with running(mini.READER, tmp_path, store, bus) as reader:
        one, two = chain("ana", 1, 2)
        await (await bus.producer()).send([encode(two), encode(one)], 5)
        await until(lambda: reader.json("/cards/ana"), lambda card: card.get("books") == 3)
    assert REGISTRY.get_sample_value("telar_conflicts_total") == before
    assert store.all("parked") == []


async def test_a_stop_does_not_wait_for_a_poll_that_finds_nothing(tmp_path: Path) -> None:
    async with running(mini.READER, tmp_path, Ticking(), SilentBus()) as reader:
        [loop] = [task for task in asyncio.all_tasks() if task.get_name() == "intake"]
        await until(Silent.polling.wait)
        reader.runtime.intake.stop()
        await asyncio.wait_for(loop, 2.0)


async def test_a_member_whom_the_group_has_forgotten_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "COMMIT_AGAIN", 0.01)
    bus = MemoryBus()
    async with running(mini.READER, tmp_path, Ticking(), bus):
        members = bus.faults.calls["consumer"]
        bus.faults.fail_next("commit", BusError, times=consumer.UNNOTED + 1)
        await CoreSuite.send(bus, *map(encode, chain("ana", 1)))

        async def seen() -> tuple[bool, bool]:
            return bus.faults.calls["consumer"] > members, any(bus.offsets.values())

        await until(seen, all)


class Few(MemoryConsumer):
    """A member to whom two records are a full poll."""

    async def poll(self) -> list[Record]:
        found = await super().poll()
        FewBus.read += len(found)
        return found

    def _ready(self) -> list[Record]:
        return super()._ready()[:2]


class FewBus(MemoryBus):
    consumers = Few
    read = 0


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> FewBus:
    monkeypatch.setattr(polls, "MOST_INTENTS", 2)
    monkeypatch.setattr(FewBus, "read", 0)
    return FewBus()


async def taken_up(store: MemoryStore, bus: MemoryBus) -> None:
    """Every partition has its reader, and that is noted: no write but of records comes now."""

    async def is_noted() -> bool:
        return len(store.all("handled")) == len(bus.places("telar.shelf"))

    await until(is_noted)


async def test_the_next_poll_is_read_while_a_full_one_is_written(
    tmp_path: Path, few: FewBus
) -> None:
    store, read = Ticking(), list[int]()

    async def look() -> None:
        read.append(FewBus.read)

    async with running(mini.READER, tmp_path, store, few) as reader:
        await taken_up(store, few)
        store.faults.meanwhile("commit", look)
        await CoreSuite.send(few, *map(encode, chain("ana", 1, 2, 3, 4)))
        await until(lambda: reader.json("/cards/ana"), lambda card: card.get("books") == 10)
    assert read == [4], "two were being committed, and two more had been read"


async def test_what_was_read_beside_a_batch_that_failed_is_read_again_behind_it(
    tmp_path: Path, few: FewBus
) -> None:
    store, gap = Ticking(), {"topic": "shelf", "outcome": "gap"}
    gaps = REGISTRY.get_sample_value("telar_consumed_total", gap)
    async with running(mini.READER, tmp_path, store, few) as reader:
        await taken_up(store, few)
        store.faults.fail_next("write", StoreError("broken"))
        await CoreSuite.send(few, *map(encode, chain("ana", 1, 2, 3, 4)))
        await until(lambda: reader.json("/cards/ana"), lambda card: card.get("books") == 10)
    assert FewBus.read > 4
    assert REGISTRY.get_sample_value("telar_consumed_total", gap) == gaps


async def test_records_do_not_pile_up_while_the_store_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "MOST_INTENTS", 1)
    monkeypatch.setattr(writer, "PATIENCE", 0.05)
    monkeypatch.setattr(consumer, "SHORTEST_PAUSE", 0.01)
    monkeypatch.setattr(consumer, "LONGEST_PAUSE", 0.01)
    bus, store = MemoryBus(), Ticking()
    async with running(mini.READER, tmp_path, store, bus) as reader:
        before = bus.faults.calls["consumer"]
        store.faults.fail_next("write", StoreUnavailable("away"), times=150)
        await CoreSuite.send(bus, *map(encode, chain("ana", *range(1, 13))))

        async def renewed() -> int:
            return bus.faults.calls["consumer"] - before

        await until(renewed, lambda times: times >= 5)
        assert len(reader.runtime.writer._queue.works()) <= 12
        await until(lambda: reader.json("/cards/ana"), lambda card: card.get("books") == 78)


async def test_a_breaker_that_was_open_is_not_said_to_be_so_of_a_consumer_that_has_ended(
    tmp_path: Path,
) -> None:
    mini.poison.add(13)
    bus = MemoryBus()
    async with running(mini.READER, tmp_path, Ticking(), bus) as reader:
        keys = [f"k{number}" for number in range(120)]
        await CoreSuite.send(bus, *[encode(one) for key in keys for one in chain(key, 13)])
        await until(reader.runtime.faults, lambda faults: "breaker" in faults)
        assert REGISTRY.get_sample_value("telar_breaker_open") == 1
    assert REGISTRY.get_sample_value("telar_breaker_open") == 0
