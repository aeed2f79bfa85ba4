"""The ceiling at a batch of the same size: by hand with aiokafka, no framework."""

import asyncio
import os

import uvloop
from aiokafka import AIOKafkaConsumer

from bench.peers.ledger import Arrived, Ledger
from bench.peers.outbox import Relay
from bench.work import SINK, SOURCE_TOPIC
from shared.chassis import collector


def consumer(kafka: str, most: int) -> AIOKafkaConsumer:
    """A member of the sink's group."""
    return AIOKafkaConsumer(
        SOURCE_TOPIC,
        bootstrap_servers=kafka,
        group_id=SINK,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=most,
    )


async def consume(kafka: str, mongo: str, most: int) -> None:
    """Poll, commit, hand to the relay; offsets once a second, for they are not the truth."""
    ledger = Ledger(mongo)
    await ledger.prepare()
    relay = Relay(kafka, ledger.outbox)
    await relay.start()
    client = consumer(kafka, most)
    await client.start()
    loop = asyncio.get_running_loop()
    noted = loop.time()
    while True:
        polled = await client.getmany(timeout_ms=200)
        arrived = [Arrived.of(one) for records in polled.values() for one in records]
        if arrived:
            relay.offer(await ledger.apply(arrived))
        if loop.time() - noted > 1.0:
            await client.commit()
            noted = loop.time()


if __name__ == "__main__":
    collector.settle()
    uvloop.run(
        consume(
            os.environ["BENCH_KAFKA"],
            os.environ["BENCH_MONGO"],
            int(os.environ.get("BENCH_BATCH", "500")),
        )
    )
