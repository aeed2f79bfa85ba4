"""A test's own topics and groups on the shared Kafka: every name gets a prefix on the way."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from shared.chassis.ports import Bus, Consumer, Offsets, Outgoing, Place, Producer, Record


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

    async def ensure(self, topics: Mapping[str, int]) -> None:
        await self._bus.ensure({self._prefix + name: count for name, count in topics.items()})

    async def distinct(self, topic: str) -> int:
        return await self._bus.distinct(self._prefix + topic)

    async def ping(self) -> None:
        await self._bus.ping()

    async def close(self) -> None:
        await self._bus.close()


def _prefixed(offsets: Mapping[Place, int], prefix: str) -> dict[Place, int]:
    return {(prefix + topic, number): at for (topic, number), at in offsets.items()}


class _OwnProducer:
    def __init__(self, producer: Producer, prefix: str) -> None:
        self._producer, self._prefix = producer, prefix

    async def send(self, records: Sequence[Outgoing], deadline: float) -> None:
        mine = [replace(record, topic=self._prefix + record.topic) for record in records]
        await self._producer.send(mine, deadline)

    async def close(self, deadline: float) -> None:
        await self._producer.close(deadline)


class _OwnConsumer:
    def __init__(self, consumer: Consumer, prefix: str) -> None:
        self._consumer, self._prefix = consumer, prefix

    async def poll(self) -> list[Record]:
        found = await self._consumer.poll()
        return [replace(one, topic=one.topic.removeprefix(self._prefix)) for one in found]

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
