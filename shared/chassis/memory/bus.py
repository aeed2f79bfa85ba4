"""A Kafka cluster in memory: partitions, groups, offsets, and what goes wrong with them."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from itertools import cycle
from zlib import crc32

from shared.chassis.memory.faults import Faults
from shared.chassis.ports import BusError, Offsets, Outgoing, Place, Record

Twist = Callable[[list[Outgoing]], list[Outgoing]]

_MOST = 500
_PATIENCE = 0.2


class MemoryProducer:
    """Appends at once."""

    def __init__(self, bus: "MemoryBus") -> None:
        self._bus = bus

    async def send(self, records: Sequence[Outgoing], deadline: float) -> dict[Place, range]:
        """All of them are in their partitions, or `BusError` and perhaps some are."""
        async with self._bus.faults.around("send"):
            for record in records:
                if not self._bus.places(record.topic):
                    raise BusError(f"no topic {record.topic}")
            return self._bus.append(records)

    async def close(self, deadline: float) -> None:
        """Nothing to let go of."""


class MemoryConsumer:
    """A member of a group; where it goes on is asked at the first poll after a new deal."""

    def __init__(
        self, bus: "MemoryBus", group: str, topics: Sequence[str], offsets: Offsets
    ) -> None:
        self.group, self.topics = group, frozenset(topics)
        self._bus, self._offsets = bus, offsets
        self._mine: frozenset[Place] = frozenset()
        self._next: dict[Place, int] = {}
        self._taken_up: frozenset[Place] | None = None

    def assign(self, places: set[Place]) -> None:
        """The group was dealt anew: all positions are asked for again."""
        if places != self._mine:
            self._mine = frozenset(places)

    async def poll(self) -> list[Record]:
        """Up to 500 records, or none after a while."""
        if self._bus.faults.is_out:
            await self._bus.news(_PATIENCE)
            return []
        async with self._bus.faults.around("poll"):
            await self._take_up()
            if not (found := self._ready()):
                await self._bus.news(_PATIENCE)
                await self._take_up()
                found = self._ready()
            for record in found:
                self._next[record.topic, record.partition] = record.offset + 1
            return found

    async def commit(self, offsets: Mapping[Place, int], deadline: float) -> None:
        """Note them for the group; not for partitions that went to somebody else."""
        async with self._bus.faults.around("commit"):
            if not offsets.keys() <= self._mine:
                raise BusError("a partition that is not assigned")
            for place, offset in offsets.items():
                self._bus.offsets[self.group, place] = offset

    def assigned(self) -> frozenset[Place]:
        """The partitions that this member has now."""
        return self._mine

    def lag(self) -> dict[Place, int]:
        """Records not yet polled, by partition."""
        return {
            place: len(self._bus.logs[place]) - self._next.get(place, 0) for place in self._mine
        }

    async def close(self, deadline: float) -> None:
        """Leave the group."""
        self._bus.leave(self)

    async def _take_up(self) -> None:
        while self._taken_up is not self._mine:
            places = self._mine
            try:
                stored = await self._offsets(sorted(places))
            except Exception as error:
                raise BusError("the stored offsets are not known") from error
            self._next = {place: self.start(place, stored) for place in places}
            self._taken_up = places

    def start(self, place: Place, stored: Mapping[Place, int]) -> int:
        """The lower of what the group noted and what the service stored."""
        noted = self._bus.offsets.get((self.group, place), 0)
        start = min(noted, stored.get(place, noted))
        return start if start <= len(self._bus.logs[place]) else 0  # the topic was made anew

    def _ready(self) -> list[Record]:
        found: list[Record] = []
        for place, offset in self._next.items():
            found += self._bus.logs[place][offset : offset + _MOST - len(found)]
        return found


class MemoryBus:
    """`faults` scripts failures and outages; `twist` what becomes of the records of a send."""

    consumers: type[MemoryConsumer] = MemoryConsumer

    def __init__(self) -> None:
        self.faults = Faults(BusError)
        self.logs: dict[Place, list[Record]] = {}
        self.offsets: dict[tuple[str, Place], int] = {}
        self._members: dict[str, list[MemoryConsumer]] = {}
        self._twists: list[Twist] = []
        self._news = asyncio.Event()

    def twist(self, change: Twist) -> None:
        """The next send is acknowledged, but this is what the partitions get of it.

        `lambda sent: sent * 2` doubles, `lambda sent: sent[::-1]` inverts, `lambda sent: []` loses.
        """
        self._twists.append(change)

    async def producer(self) -> MemoryProducer:
        """A producer."""
        async with self.faults.around("producer"):
            return MemoryProducer(self)

    async def consumer(self, group: str, topics: Sequence[str], offsets: Offsets) -> MemoryConsumer:
        """A new member of the group: all its partitions are dealt out anew."""
        async with self.faults.around("consumer"):
            if not all(map(self.places, topics)):
                raise BusError("a topic is missing")
            member = self.consumers(self, group, topics, offsets)
            self._members.setdefault(group, []).append(member)
            self._deal(group)
            return member

    async def ensure(self, topics: Mapping[str, int], passing: Collection[str] = ()) -> None:
        """Make the topics that are missing."""
        async with self.faults.around("ensure"):
            for topic, partitions in topics.items():
                if not self.places(topic):
                    self.logs |= {(topic, number): [] for number in range(partitions)}
            for group in self._members:
                self._deal(group)

    async def ends(self, topic: str) -> dict[Place, int]:
        """The offset that the next record of each partition will have."""
        async with self.faults.around("ends"):
            if not self.places(topic):
                raise BusError(f"no topic {topic}")
            return {place: len(self.logs[place]) for place in self.places(topic)}

    async def progress(self, group: str, topic: str) -> dict[Place, tuple[int, int]]:
        """By partition the offset that the group noted, and the end."""
        ends = await self.ends(topic)
        return {place: (self.offsets.get((group, place), 0), end) for place, end in ends.items()}

    async def scan(
        self,
        topic: str,
        starts: Mapping[Place, int] | None = None,
        ends: Mapping[Place, int] | None = None,
    ) -> AsyncGenerator[list[Record], None]:
        """Read a topic from these offsets to its end now, or before `ends`."""
        for place, end in (await self.ends(topic)).items():
            start = max((starts or {}).get(place, 0), 0)
            last = end if ends is None else min(end, ends.get(place, 0))
            if found := self.logs[place][start:last]:
                yield list(found)

    async def ping(self) -> None:
        """Whether it answers."""
        async with self.faults.around("ping"):
            pass

    async def close(self) -> None:
        """Nothing answers any more."""
        self.faults.go_out()

    def records(self, topic: str) -> list[Record]:
        """Everything in a topic, partition by partition."""
        return [record for place in self.places(topic) for record in self.logs[place]]

    def places(self, topic: str) -> list[Place]:
        """The partitions of a topic."""
        return sorted(place for place in self.logs if place[0] == topic)

    def append(self, records: Sequence[Outgoing]) -> dict[Place, range]:
        """Write these to the ends of their partitions; where they are then said to be."""
        sent_to = Counter(self.place_of(one, self.places(one.topic)) for one in records)
        ends = {place: len(self.logs[place]) for place in sent_to}
        offsets = {place: range(end, end + sent_to[place]) for place, end in ends.items()}
        changes, self._twists = self._twists[:1], self._twists[1:]
        for change in changes:
            records = change(list(records))
        for sent in records:
            places = self.places(sent.topic)
            place = self.place_of(sent, places)
            log = self.logs[place]
            log.append(Record(*place, len(log), sent.key, sent.value, sent.headers))
        self._news.set()
        self._news = asyncio.Event()
        return offsets

    def cut(self, place: Place, count: int) -> None:
        """The broker comes back without the end of a partition."""
        del self.logs[place][-count:]

    def place_of(self, sent: Outgoing, places: Sequence[Place]) -> Place:
        """The key decides the partition."""
        return places[crc32(sent.key) % len(places)]

    async def news(self, patience: float) -> None:
        """Return when something was written, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._news.wait()

    def leave(self, member: MemoryConsumer) -> None:
        """Take a member out of its group."""
        members = self._members[member.group]
        if member in members:
            members.remove(member)
            self._deal(member.group)

    def _deal(self, group: str) -> None:
        members = self._members[group]
        hands: dict[MemoryConsumer, set[Place]] = {member: set() for member in members}
        topics = sorted({topic for member in members for topic in member.topics})
        for topic in topics:
            takers = cycle([member for member in members if topic in member.topics])
            for place in self.places(topic):
                hands[next(takers)].add(place)
        for member, hand in hands.items():
            member.assign(hand)
