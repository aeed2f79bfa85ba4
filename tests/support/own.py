"""A test's own topics and groups on the shared Kafka: every name gets a prefix on the way."""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import TypeVar

from shared.chassis.ports import Bus, Consumer, Offsets, Outgoing, Place, Producer, Record

T = TypeVar("T")


class OwnBus:
    """A bus whose names are a test's own."""

    def __init__(self, bus: Bus, prefix: str) -> None:
        self._bus, self._prefix = bus, prefix + "."

    async def producer(self) -> Producer:
        return _OwnProducer(await self._bus.producer(), self._prefix)

    async def consumer(self, group: str, topics: Sequence[str], offsets: Offsets) -> Consumer:
        async def mine(places: Sequence[Place]) -> Mapping[Place, int]:
            plain = [(topic.removeprefix(self._prefix), number) for topic, number in places]
            return _prefixed(await offsets(plain), self._prefix)

        names = [self._prefix + topic for topic in topics]
        consumer = await self._bus.consumer(self._prefix + group, names, mine)
        return _OwnConsumer(consumer, self._prefix)

    async def ensure(self, topics: Mapping[str, int], passing: Collection[str] = ()) -> None:
        mine = {self._prefix + name: count for name, count in topics.items()}
        await self._bus.ensure(mine, [self._prefix + name for name in passing])

    async def ends(self, topic: str) -> dict[Place, int]:
        return self._mine(await self._bus.ends(self._prefix + topic))

    async def progress(self, group: str, topic: str) -> dict[Place, tuple[int, int]]:
        return self._mine(await self._bus.progress(self._prefix + group, self._prefix + topic))

    async def scan(
        self,
        topic: str,
        starts: Mapping[Place, int] | None = None,
        ends: Mapping[Place, int] | None = None,
    ) -> AsyncGenerator[list[Record], None]:
        first = _prefixed(starts or {}, self._prefix)
        last = None if ends is None else _prefixed(ends, self._prefix)
        async with aclosing(self._bus.scan(self._prefix + topic, first, last)) as scan:
            async for found in scan:
                yield [self._own(one) for one in found]

    def _mine(self, found: Mapping[Place, T]) -> dict[Place, T]:
        return {(name.removeprefix(self._prefix), n): one for (name, n), one in found.items()}

    def _own(self, record: Record) -> Record:
        return record._replace(topic=record.topic.removeprefix(self._prefix))

    async def ping(self) -> None:
        await self._bus.ping()

    async def close(self) -> None:
        await self._bus.close()


def _prefixed(offsets: Mapping[Place, int], prefix: str) -> dict[Place, int]:
    return {(prefix + topic, number): at for (topic, number), at in offsets.items()}


class _OwnProducer:
    def __init__(self, producer: Producer, prefix: str) -> None:
        self._producer, self._prefix = producer, prefix

    async def send(self, records: Sequence[Outgoing], deadline: float) -> dict[Place, range]:
        mine = [record._replace(topic=self._prefix + record.topic) for record in records]
        acknowledged = await self._producer.send(mine, deadline)
        return {(name.removeprefix(self._prefix), n): at for (name, n), at in acknowledged.items()}

    async def close(self, deadline: float) -> None:
        await self._producer.close(deadline)


class _OwnConsumer:
    def __init__(self, consumer: Consumer, prefix: str) -> None:
        self._consumer, self._prefix = consumer, prefix

    async def poll(self) -> list[Record]:
        found = await self._consumer.poll()
        return [one._replace(topic=one.topic.removeprefix(self._prefix)) for one in found]

    async def commit(self, offsets: Mapping[Place, int], deadline: float) -> None:
        await self._consumer.commit(_prefixed(offsets, self._prefix), deadline)

    def assigned(self) -> frozenset[Place]:
        return frozenset(
            (topic.removeprefix(self._prefix), number)
            for topic, number in self._consumer.assigned()
        )

    def lag(self) -> dict[Place, int]:
        lag = self._consumer.lag()
        return {
            (topic.removeprefix(self._prefix), number): behind
            for (topic, number), behind in lag.items()
        }

    async def close(self, deadline: float) -> None:
        await self._consumer.close(deadline)
