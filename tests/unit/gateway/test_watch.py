"""Which keys keep a build: those that stand still though all that was there has been read."""

from types import SimpleNamespace
from typing import Any

import pytest

from services.gateway.watch import Watch
from shared.chassis.memory import MemoryBus, MemoryStore
from shared.chassis.ports import BusError, Document, Outgoing

TOPIC = "telar.trade"


async def alive() -> None:
    """Nobody else looks."""


class Build:
    """A live generation and a new one, as far as a watch looks at them."""

    def __init__(self) -> None:
        self.live, self.new, self.bus = MemoryStore(), MemoryStore(), MemoryBus()
        runtime: Any = SimpleNamespace(
            store=self.new, bus=self.bus, intake=SimpleNamespace(topics=[TOPIC, "telar.control"])
        )
        self.watch = Watch(self.live, runtime, alive, 0.0)

    def at(self, key: str, live: int, new: int) -> None:
        """How many events of a key each has applied."""
        for store, number in ((self.live, live), (self.new, new)):
            stream: Document = {"_id": key, "out": {}, "in": {"trade": [number, ""]}, "parked": {}}
            store.apply({("streams", key): stream})

    async def sent(self, count: int) -> None:
        """So many records more stand in the topic."""
        await self.bus.ensure({TOPIC: 1})
        producer = await self.bus.producer()
        await producer.send([Outgoing(TOPIC, b"k", b"{}")] * count, 5.0)

    def read(self, offset: int) -> None:
        """So many records the new generation has read."""
        self.new.apply({("offsets", f"{TOPIC}/0"): {"_id": f"{TOPIC}/0", "next": offset}})

    async def stuck(self) -> list[str]:
        return [one.key for one in await self.watch.stuck()]


@pytest.fixture
async def build() -> Build:
    build = Build()
    await build.sent(10)
    return build


async def test_a_key_that_stands_still_is_named_however_much_is_wanted_of_it(build: Build) -> None:
    build.at("fair", 3, 1)
    build.read(10)
    assert await build.stuck() == []
    build.at("fair", 9, 1)
    build.at("new", 1, 0)
    await build.sent(5)
    build.read(15)
    assert await build.stuck() == ["fair"]


async def test_keys_that_come_and_go_keep_nothing(build: Build) -> None:
    build.read(10)
    for number in range(1, 5):
        build.at("ana", number, number - 1)
        build.at(f"k{number}", 1, 0)
        build.at(f"k{number - 1}", 1, 1)
        assert await build.stuck() == []


async def test_what_is_still_to_be_read_is_waited_for(build: Build) -> None:
    build.at("last", 1, 0)  # its only event is the last record
    for offset in (0, 3, 6, 9):
        build.read(offset)
        assert await build.stuck() == []
    build.read(10)
    assert await build.stuck() == [], "until here nothing was expected of it"
    assert await build.stuck() == ["last"]


async def test_a_partition_whose_records_are_gone_is_not_waited_for(build: Build) -> None:
    build.at("gone", 1, 0)
    assert await build.stuck() == []
    assert await build.stuck() == ["gone"]


async def test_while_kafka_is_away_everything_stands_still_and_nothing_is_stuck(
    build: Build,
) -> None:
    build.at("fair", 3, 1)
    build.read(10)
    assert await build.stuck() == []
    build.bus.faults.go_out()
    with pytest.raises(BusError):
        await build.stuck()
    build.bus.faults.come_back()
    assert await build.stuck() == []
    assert await build.stuck() == ["fair"]


async def test_it_looks_once_in_so_many_seconds(build: Build) -> None:
    watch = Watch(build.live, build.watch._new, alive, 60.0)
    build.at("fair", 3, 1)
    assert await watch.stuck() == await watch.stuck() == []
