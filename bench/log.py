"""What a topic says of a run: how many records stand in it, and when each came in."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bench.feed import PARTITIONS


@asynccontextmanager
async def _admin(kafka: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def create(kafka: str, *topics: str) -> None:
    """Topics whose records carry the broker's time: it says when a side was done with each."""
    config = {"message.timestamp.type": "LogAppendTime", "retention.ms": "-1"}
    async with _admin(kafka) as admin:
        for name in topics:
            await _created(admin, NewTopic(name, PARTITIONS, 1, topic_configs=config))


async def _created(admin: AIOKafkaAdminClient, wanted: NewTopic) -> None:
    """One of this name may still be on its way out."""
    while True:
        answer = (await admin.create_topics([wanted])).to_object()
        if answer["topic_errors"][0]["error_code"] == 0:
            break
        await asyncio.sleep(0.1)
    while wanted.name not in await admin.list_topics():
        await asyncio.sleep(0.05)


async def delete(kafka: str, *topics: str) -> None:
    """Drop topics: the next round shall find as little as this one did."""
    async with _admin(kafka) as admin:
        await admin.delete_topics([name for name in topics if name in await admin.list_topics()])
        while set(topics) & set(await admin.list_topics()):
            await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Seen:
    """One record: where it stands, when it came in (seconds), its key and its number."""

    at: float
    key: str
    sequence: int
    headers: Mapping[str, str]
    value: bytes


class Tail:
    """One topic, watched from outside."""

    def __init__(self, client: AIOKafkaConsumer, topic: str) -> None:
        self._client = client
        self._places = [TopicPartition(topic, number) for number in range(PARTITIONS)]

    async def count(self) -> int:
        """How many records stand in it."""
        ends = await self._client.end_offsets(self._places)
        return sum(ends.values())

    async def until(self, count: int, within: float) -> int:
        """Wait for so many records, or so long; how many there are then."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while (there := await self.count()) < count and loop.time() < deadline:
            await asyncio.sleep(0.1)
        return there

    async def reach(self, count: int, within: float) -> None:
        """Wait for so many records. Raises `RuntimeError` if they are not there in time."""
        if (there := await self.until(count, within)) < count:
            raise RuntimeError(f"{there} of {count} records came within {within:g} s")

    async def whole(self, count: int, within: float) -> list[Seen]:
        """Every record, once so many distinct ones are there, or after so long."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        await self.until(count, within)
        while len(once(seen := await self.read())) < count and loop.time() < deadline:
            await asyncio.sleep(0.5)
        return seen

    async def read(self) -> list[Seen]:
        """Every record, in order of arrival."""
        self._client.assign(self._places)
        await self._client.seek_to_beginning(*self._places)
        left, seen = await self.count(), list[Seen]()
        while len(seen) < left:
            for records in (await self._client.getmany(timeout_ms=200)).values():
                seen += [_seen(one) for one in records]
        return sorted(seen, key=lambda one: one.at)


def _seen(record: Any) -> Seen:
    headers = {name: raw.decode() for name, raw in record.headers}
    sequence = int(headers.get("ce_sequence", "0"))
    return Seen(record.timestamp / 1000, record.key.decode(), sequence, headers, record.value)


@asynccontextmanager
async def tail(kafka: str, topic: str) -> AsyncIterator[Tail]:
    """Watch a topic."""
    client = AIOKafkaConsumer(
        bootstrap_servers=kafka, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await client.start()
    try:
        yield Tail(client, topic)
    finally:
        await client.stop()


def once(seen: list[Seen]) -> list[Seen]:
    """The first record of each place in a stream: what came again is no work done."""
    first: dict[tuple[str, int], Seen] = {}
    for one in seen:
        first.setdefault((one.key, one.sequence), one)
    return list(first.values())


def rate(seen: list[Seen], skip: float = 0.1) -> float:
    """Distinct records a second, the first tenth (the start) left out."""
    distinct = once(seen)
    if len(distinct) < 2:
        return 0.0
    first = int(len(distinct) * skip)
    span = distinct[-1].at - distinct[first].at
    return (len(distinct) - first - 1) / span if span > 0 else 0.0


def told(
    seen: list[Seen], processor_seconds: float, expected: int = 0, before: int = 0
) -> dict[str, float]:
    """One run as its topic tells it; the processor time is of what came after the first `before`.

    Raises `RuntimeError` if there are fewer distinct ones than expected.
    """
    distinct = len(once(seen))
    if distinct < expected:
        raise RuntimeError(f"{distinct} of {expected} events were published: that is no rate")
    return {
        "rate": round(rate(seen), 1),
        "events": distinct,
        "sent_twice": len(seen) - distinct,
        "processor_us": round(processor_seconds / max(distinct - before, 1) * 1e6, 1),
    }
