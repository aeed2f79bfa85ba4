"""The in-memory bus keeps what the suite asks, and the suite catches one that does not."""

import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import pytest

from shared.chassis.memory import MemoryBus
from shared.chassis.memory.bus import MemoryConsumer, MemoryProducer, Twist
from shared.chassis.ports import BusError, Outgoing, Place, Record
from tests.integration.bus_suite import BusSuite, Outage, member, notes, read, sending


def outage_of(bus: MemoryBus) -> Outage:
    @asynccontextmanager
    async def outage() -> AsyncIterator[None]:
        bus.faults.go_out()
        yield
        bus.faults.come_back()

    return outage


class TestMemoryBus(BusSuite):
    @pytest.fixture
    def bus(self) -> MemoryBus:
        return MemoryBus()

    @pytest.fixture
    def topic(self) -> str:
        return "telar.topic"

    @pytest.fixture
    def outage(self, bus: MemoryBus) -> Outage:
        return outage_of(bus)


class Scattering(MemoryBus):
    def __init__(self) -> None:
        super().__init__()
        self._turn = count()

    def place_of(self, sent: Outgoing, places: Sequence[Place]) -> Place:
        return places[next(self._turn) % len(places)]


class Inverting(MemoryBus):
    def append(self, records: Sequence[Outgoing]) -> dict[Place, range]:
        return super().append(records[::-1])


class Losing(MemoryBus):
    def append(self, records: Sequence[Outgoing]) -> dict[Place, range]:
        return super().append(records[:-1])


class Stripping(MemoryBus):
    def append(self, records: Sequence[Outgoing]) -> dict[Place, range]:
        return super().append([Outgoing(one.topic, one.key, one.value) for one in records])


class Dealing(MemoryBus):
    """Gives every partition to everybody."""

    def _deal(self, group: str) -> None:
        for one in self._members[group]:
            one.assign({place for topic in one.topics for place in self.places(topic)})


class FromTheStart(MemoryBus):
    async def scan(
        self,
        topic: str,
        starts: Mapping[Place, int] | None = None,
        ends: Mapping[Place, int] | None = None,
    ) -> AsyncGenerator[list[Record], None]:
        yield self.records(topic)


class Hopeful(MemoryBus):
    async def progress(self, group: str, topic: str) -> dict[Place, tuple[int, int]]:
        return {place: (end, end) for place, end in (await self.ends(topic)).items()}


class Sulking(MemoryBus):
    """Its producer never forgives a failure."""

    async def producer(self) -> MemoryProducer:
        return Sulker(self)


class Sulker(MemoryProducer):
    broken = False

    async def send(self, records: Sequence[Outgoing], deadline: float) -> dict[Place, range]:
        if self.broken:
            raise BusError("as before")
        self.broken = True
        acknowledged = await super().send(records, deadline)
        self.broken = False
        return acknowledged


class Unpaged(MemoryConsumer):
    def _ready(self) -> list[Record]:
        return [one for place, at in self._next.items() for one in self._bus.logs[place][at:]]


class Forgetful(MemoryConsumer):
    async def commit(self, offsets: Mapping[Place, int], deadline: float) -> None:
        pass


class TrustsTheGroup(MemoryConsumer):
    def start(self, place: Place, stored: Mapping[Place, int]) -> int:
        return self._bus.offsets.get((self.group, place), 0)


class TrustsTheStore(MemoryConsumer):
    def start(self, place: Place, stored: Mapping[Place, int]) -> int:
        return stored.get(place, 0)


def bus_with(kind: type[MemoryConsumer]) -> type[MemoryBus]:
    return type(kind.__name__, (MemoryBus,), {"consumers": kind})


LOWER = "test_a_member_starts_at_the_lower_of_the_noted_and_the_stored_offset"
BREAKAGES: list[tuple[type[MemoryBus], str, dict[str, Any]]] = [
    (Scattering, "test_what_has_one_key_keeps_its_order_and_its_partition", {}),
    (Inverting, "test_what_has_one_key_keeps_its_order_and_its_partition", {}),
    (Losing, "test_what_is_acknowledged_is_there_and_where_it_was_said_to_end", {}),
    (FromTheStart, "test_a_scan_reads_from_the_starts_to_the_end_in_order", {}),
    (FromTheStart, "test_a_scan_that_is_left_goes_on_where_it_was", {}),
    (Hopeful, "test_progress_is_what_the_group_noted_and_the_end", {}),
    (Stripping, "test_a_record_arrives_whole", {}),
    (Dealing, "test_two_members_share_the_partitions_and_one_takes_over", {}),
    (Sulking, "test_a_missing_topic_is_an_error_and_hurts_nobody_else", {}),
    (Sulking, "test_after_an_outage_the_same_producer_and_consumer_go_on", {}),
    (bus_with(Unpaged), "test_a_poll_brings_five_hundred_at_most", {}),
    (bus_with(Forgetful), "test_what_was_not_committed_comes_again", {}),
    (bus_with(Forgetful), "test_offsets_of_somebody_elses_partition_are_not_noted", {}),
    (bus_with(TrustsTheGroup), LOWER, {"noted": 6, "kept": 4, "expected": 4}),
    (bus_with(TrustsTheStore), LOWER, {"noted": 4, "kept": 6, "expected": 4}),
]


@pytest.mark.parametrize(
    ("broken", "name", "more"), BREAKAGES, ids=[f"{one[0].__name__}-{one[1]}" for one in BREAKAGES]
)
async def test_the_suite_catches_a_bus_that_is_broken(
    broken: type[MemoryBus], name: str, more: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.integration.bus_suite.PATIENCE", 0.5)
    test, bus = getattr(TestMemoryBus(), name), broken()
    offered = {"bus": bus, "topic": "telar.topic", "outage": outage_of(bus), **more}
    wanted = {key: offered[key] for key in inspect.signature(test).parameters}
    with pytest.raises((AssertionError, pytest.fail.Exception, BusError)):
        await test(**wanted)


def doubled(sent: list[Outgoing]) -> list[Outgoing]:
    return sent * 2


def inverted(sent: list[Outgoing]) -> list[Outgoing]:
    return sent[::-1]


def lost(sent: list[Outgoing]) -> list[Outgoing]:
    return sent[:0]


class TestScripts:
    @pytest.mark.parametrize(
        ("twisted", "expected"),
        [
            (doubled, [0, 1, 0, 1]),
            (inverted, [1, 0]),
            (lost, []),
        ],
        ids=["doubled", "inverted", "lost"],
    )
    async def test_what_was_acknowledged_may_be(self, twisted: Twist, expected: list[int]) -> None:
        bus = MemoryBus()
        await bus.ensure({"t": 1})
        bus.twist(twisted)
        async with sending(bus) as producer, member(bus, "t") as consumer:
            await producer.send(notes("t", 2, "a"), 1)
            await producer.send(notes("t", 3, "a")[2:], 1)
            found = await read(consumer, len(expected) + 1)
        assert [int(record.value or b"") for record in found] == [*expected, 2]

    async def test_a_send_may_fail_although_it_arrived(self) -> None:
        bus = MemoryBus()
        await bus.ensure({"t": 1})
        bus.faults.fail_next("send", BusError, after=True)
        async with sending(bus) as producer:
            with pytest.raises(BusError):
                await producer.send(notes("t", 2), 1)
        assert len(bus.records("t")) == 2
