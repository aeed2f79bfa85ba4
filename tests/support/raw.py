"""Kafka without anything of Telar: every record of a topic, and where its partitions end."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer

Look = Callable[[], Awaitable[dict[tuple[str, int], int]]]


async def records(kafka: str, topic: str) -> list[Any]:
    """All records of a topic, as aiokafka shows them."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    found: list[Any] = []
    try:
        await consumer.start()
        ends = await consumer.end_offsets(list(consumer.assignment()))
        while [place for place, end in ends.items() if await consumer.position(place) < end]:
            for polled in (await consumer.getmany(timeout_ms=200)).values():
                found += polled
    finally:
        await consumer.stop()
    return found


async def ends(kafka: str, *topics: str) -> dict[tuple[str, int], int]:
    """The end of every partition of these topics."""
    async with watched(kafka, *topics) as look:
        return await look()


@asynccontextmanager
async def watched(kafka: str, *topics: str) -> AsyncIterator[Look]:
    """Where every partition of these topics ends, to be asked again and again by one client."""
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=kafka, enable_auto_commit=False)

    async def look() -> dict[tuple[str, int], int]:
        found = await consumer.end_offsets(list(consumer.assignment()))
        return {(place.topic, place.partition): end for place, end in found.items()}

    try:
        await consumer.start()
        yield look
    finally:
        await consumer.stop()
