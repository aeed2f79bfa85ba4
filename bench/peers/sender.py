"""aiokafka alone: the same bytes as a backlog of Telar's, sent by the same settings."""

import asyncio
import os

import uvloop
from aiokafka import AIOKafkaProducer

from bench.feed import Load, records
from bench.work import SOURCE_TOPIC
from shared.chassis import interpreter


async def send(kafka: str, load: Load) -> None:
    """Make them first; then send them as fast as they go."""
    outgoing = list(records(load))
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka,
        acks="all",
        enable_idempotence=True,
        compression_type="zstd",
        linger_ms=5,
        max_batch_size=256 * 1024,
    )
    await producer.start()
    try:
        answers = [
            await producer.send(SOURCE_TOPIC, one.value, one.key, headers=list(one.headers))
            for one in outgoing
        ]
        await asyncio.gather(*answers)
    finally:
        await producer.stop()


if __name__ == "__main__":
    interpreter.spare_the_collector()
    orders, people = int(os.environ["BENCH_EVENTS"]), int(os.environ["BENCH_PEOPLE"])
    uvloop.run(send(os.environ["BENCH_KAFKA"], Load(orders, people)))
