"""Sending: in order, acknowledged by all, with a new client after any failure."""

import asyncio
from collections.abc import Sequence
from functools import lru_cache

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from shared.chassis.kafka.clients import stop, within
from shared.chassis.patience import Aside
from shared.chassis.ports import Outgoing, Place
from shared.chassis.turns import in_turns

_PARTITION = DefaultPartitioner()


class KafkaProducer:
    """Sends in order, and replaces its client after any failure."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._client: AIOKafkaProducer | None = None
        self._aside = Aside()

    async def send(self, records: Sequence[Outgoing], deadline: float) -> dict[Place, range]:
        """All acknowledged, or `BusError` and a new client next time."""
        try:
            async with within(deadline, "send"):
                return await self._send(records)
        except BaseException:
            self._discard(0.0)  # what it still holds must not be sent later
            raise

    async def _send(self, records: Sequence[Outgoing]) -> dict[Place, range]:
        client = await self._connected()
        answers: list[asyncio.Future[RecordMetadata]] = []
        counts: list[int] = []
        for (topic, partition), mine in (await _by_place(client, records)).items():
            sent = 0
            while sent < len(mine):
                batch, count = _filled(client, mine[sent:])
                answers.append(await client.send_batch(batch, topic, partition=partition))
                counts.append(count)
                sent += count
        done = await asyncio.gather(*answers)  # looks at all of them, whichever fails
        offsets: dict[Place, range] = {}
        for one, count in zip(done, counts, strict=True):  # of a partition in their order
            if one.offset >= 0:  # unknown where the broker had it already
                place = one.topic, one.partition
                first = offsets[place].start if place in offsets else one.offset
                offsets[place] = range(first, one.offset + count)
        return offsets

    async def _connected(self) -> AIOKafkaProducer:
        # Nothing lingers: a batch is handed over whole, and what comes meanwhile waits for the
        # answer anyway.
        if self._client is None:
            self._client = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                acks="all",
                enable_idempotence=True,
                compression_type="zstd",
                max_batch_size=256 * 1024,
                request_timeout_ms=10_000,
            )
            await self._client.start()
        return self._client

    def _discard(self, seconds: float) -> None:
        client, self._client = self._client, None
        if client is not None:
            self._aside.start(stop(client, seconds))

    async def close(self, deadline: float) -> None:
        """Send what is under way, and let go."""
        self._discard(deadline / 2)
        await self._aside.settle(deadline)


async def _by_place(
    client: AIOKafkaProducer, records: Sequence[Outgoing]
) -> dict[Place, list[Outgoing]]:
    """The records of each partition, in order."""
    partitions: dict[str, tuple[int, ...]] = {}
    for topic in {one.topic for one in records}:
        partitions[topic] = tuple(sorted(await client.partitions_for(topic)))
    found: dict[Place, list[Outgoing]] = {}
    async for some in in_turns(records):
        for one in some:
            place = _place(one.topic, one.key, partitions[one.topic])
            found.setdefault(place, []).append(one)
    return found


@lru_cache(10_000)
def _place(topic: str, key: bytes, partitions: tuple[int, ...]) -> Place:
    """The key decides, as in every client of Kafka; its hash is a long way in Python."""
    return topic, _PARTITION(key, partitions, partitions)


def _filled(client: AIOKafkaProducer, records: list[Outgoing]) -> tuple[BatchBuilder, int]:
    """A batch of as many of these as it takes: a future each of them would cost as much again."""
    batch = client.create_batch()
    for count, one in enumerate(records):
        headers = list(one.headers)
        if batch.append(timestamp=None, key=one.key, value=one.value, headers=headers) is None:
            return batch, count
    return batch, len(records)
