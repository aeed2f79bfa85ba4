"""Kafka without anything of Telar: every record of a topic, and where its partitions end."""

from typing import Any

from aiokafka import AIOKafkaConsumer


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
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=kafka, enable_auto_commit=False)
    try:
        await consumer.start()
        found = await consumer.end_offsets(list(consumer.assignment()))
    finally:
        await consumer.stop()
    return {(place.topic, place.partition): end for place, end in found.items()}
