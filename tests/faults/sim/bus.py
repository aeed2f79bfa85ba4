"""A Kafka cluster that loses, doubles and inverts; its groups put silent members out."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from shared.chassis.memory.bus import MemoryBus, MemoryConsumer
from shared.chassis.memory.faults import Faults
from shared.chassis.ports import BusError, Offsets, Outgoing, Place, Record
from tests.faults.sim.loop import PROCESS
from tests.faults.sim.wire import Wire
from tests.faults.sim.world import World

PATIENCE = 6.0
"""Seconds after which a poll comes back with nothing."""

SIZES = (1, 3, 20, 500)


class SimProducer:
    """Sends a batch a partition; each is acknowledged by itself."""

    def __init__(self, bus: SimBus) -> None:
        self._bus = bus

    async def send(self, records: Sequence[Outgoing], deadline: float) -> dict[Place, range]:
        """All of them are in their partitions, or `BusError` and perhaps some are."""
        bus = self._bus
        async with bus.wire.around("send"):
            batches: dict[Place, list[Outgoing]] = {}
            for record in records:
                place = bus.place_of(record, bus.places(record.topic))
                batches.setdefault(place, []).append(record)
            places = list(batches)
            bus.world.dice.shuffle(places)
            offsets: dict[Place, range] = {}
            for number, place in enumerate(places):
                if number:
                    await bus.wire.travel()
                offsets[place] = bus.append_to(place, batches[place])
            return offsets

    async def close(self, deadline: float) -> None:
        """Nothing to let go of."""


class SimConsumer(MemoryConsumer):
    """A member of a group, until it was silent for too long."""

    def __init__(self, bus: MemoryBus, group: str, topics: Sequence[str], offsets: Offsets) -> None:
        super().__init__(bus, group, topics, offsets)
        assert isinstance(bus, SimBus)
        self.bus, self.is_out, self.process = bus, False, PROCESS.get()
        self._last: dict[tuple[str, bytes | None], int] = {}
        if self.process is not None:
            self.process.at_death.append(self._silent)
            self.process.at_freeze.append(self._silent)

    def _silent(self) -> None:
        session = self.bus.world.dice.uniform(1.0, 10.0)
        self.bus.world.loop.call_later(session, self._expire)

    def _expire(self) -> None:
        if self.process is None or self.process.is_frozen or not self.process.is_alive:
            self.bus.put_out(self)

    async def poll(self) -> list[Record]:
        """Some records, or none after a while."""
        wire = self.bus.wire
        await wire.travel()
        if wire.is_out:
            wire.note_outage()
            await asyncio.sleep(0.5)
            return []
        if self.is_out:
            self.bus.world.happened("zombie back in its group")
            self.bus.rejoin(self)
        await self._take_up()
        if not (found := self._ready()):
            await self.bus.news_of(self.topics, PATIENCE)
            await self._take_up()
            found = self._ready()
        for record in found:
            self._next[record.topic, record.partition] = record.offset + 1
        self._observe(found)
        return found

    async def commit(self, offsets: Mapping[Place, int], deadline: float) -> None:
        """Note them for the group; a member that was put out may not."""
        if self.is_out:
            raise BusError("not a member any more")
        await super().commit(offsets, deadline)

    def start(self, place: Place, stored: Mapping[Place, int]) -> int:
        """The lower of what the group noted (or the reset) and what the service stored."""
        noted = self.bus.offsets.get((self.group, place))
        start = self._reset(place) if noted is None else noted
        return min(start, stored.get(place, start))

    def _ready(self) -> list[Record]:
        dice = self.bus.world.dice
        most = dice.choice(SIZES)
        found: list[Record] = []
        places = list(self._next)
        dice.shuffle(places)
        for place in places:
            log = self.bus.logs[place]
            if self._next[place] > len(log):
                self.bus.world.happened("offset out of range")
                self._next[place] = self._reset(place)
            found += log[self._next[place] :][: most - len(found)]
        return found

    def _reset(self, place: Place) -> int:
        """Where a consumer begins that has no valid offset."""
        offset = 0 if self.bus.offset_reset == "earliest" else len(self.bus.logs[place])
        self.bus.told_reset(self.group, place, offset)
        return offset

    def _observe(self, found: list[Record]) -> None:
        for record in found:
            number = int(dict(record.headers).get("ce_sequence") or b"0")
            last = self._last.get((record.topic, record.key), 0)
            if number and number == last:
                self.bus.world.happened("duplicate")
            elif number < last:
                self.bus.world.happened("inversion")
            elif number > last + 1:
                self.bus.world.happened("gap")
            self._last[record.topic, record.key] = max(last, number)


class SimBus(MemoryBus):
    """`chances` of a record to be lost, doubled or overtaken although it is acknowledged."""

    consumers: type[MemoryConsumer] = SimConsumer

    def __init__(self, world: World, offset_reset: str) -> None:
        super().__init__()
        self.world = world
        self.wire = Wire(world, BusError)
        faults: Any = self.wire
        self.faults: Faults = faults
        self.offset_reset = offset_reset
        self.told_reset: Callable[[str, Place, int], None] = lambda _group, _place, _offset: None
        self.chances: dict[str, float] = {}
        self.twisted: Counter[str] = Counter()
        """How often each chance came true."""
        self.harmed: set[Place] = set()
        self._places: dict[str, list[Place]] = {}
        self._waiting: dict[asyncio.Future[None], frozenset[str]] = {}

    async def producer(self) -> Any:
        """A producer; it connects at its first send."""
        return SimProducer(self)

    async def close(self) -> None:
        """One client's connections; the cluster goes on."""

    def places(self, topic: str) -> list[Place]:
        """The partitions of a topic."""
        found = self._places.get(topic)
        if not found:
            found = self._places[topic] = super().places(topic)
        return found

    def append_to(self, place: Place, records: Sequence[Outgoing]) -> range:
        """Write these to the end of a partition, or what the dice leave of them.

        Returns where they would lie if nothing were lost: so much is acknowledged.
        """
        log = self.logs[place]
        offsets = range(len(log), len(log) + len(records))
        for sent in self._twisted(place, list(records)) if self.chances else records:
            log.append(Record(*place, len(log), sent.key, sent.value, sent.headers))
        self.wake(place[0])
        return offsets

    def _twisted(self, place: Place, records: list[Outgoing]) -> list[Outgoing]:
        dice, left = self.world.dice, list[Outgoing]()
        for record in records:
            if dice.random() < self.chances.get("lost record", 0):
                self.world.happened("lost record")
                self.twisted["lost record"] += 1
                self.harmed.add(place)
                continue
            is_doubled = dice.random() < self.chances.get("doubled", 0)
            self.twisted["doubled"] += is_doubled
            left += [record] * (1 + is_doubled)
        if dice.random() < self.chances.get("inverted", 0):
            self.twisted["inverted"] += len(left) > 1
            left.reverse()
        return left

    def wake(self, topic: str) -> None:
        """There is something new in this topic."""
        for waiting, topics in self._waiting.items():
            if topic in topics and not waiting.done():
                waiting.set_result(None)

    async def news_of(self, topics: frozenset[str], patience: float) -> None:
        """Return when something was written there, or after so many seconds."""
        waiting: asyncio.Future[None] = self.world.loop.create_future()
        self._waiting[waiting] = topics
        try:
            await self.world.loop.until(waiting, patience)
        finally:
            self._waiting.pop(waiting, None)

    def put_out(self, member: SimConsumer) -> None:
        """The session of a silent member is over."""
        process_lives = member in self._members.get(member.group, [])
        if process_lives and not member.is_out:
            member.is_out = True
            self.world.happened("member put out")
            self.leave(member)

    def rejoin(self, member: SimConsumer) -> None:
        """A member that was put out comes back."""
        member.is_out = False
        self._members[member.group].append(member)
        self._deal(member.group)

    def leave(self, member: MemoryConsumer) -> None:
        """Take a member out of its group; it keeps what it believes to have."""
        with suppress(KeyError):
            super().leave(member)

    def cut(self, place: Place, count: int) -> None:
        """The broker comes back without the end of a partition."""
        super().cut(place, count)
        self.harmed.add(place)
