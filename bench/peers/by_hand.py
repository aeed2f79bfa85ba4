"""The ceiling at a batch of the same size: by hand with aiokafka, no framework.

Like Telar it reads while it commits; what it reads it also decodes then, but does not load yet.
"""

import asyncio
import os
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.peers.ledger import Arrived, Ledger
from bench.peers.outbox import Relay
from bench.work import SINK, SOURCE_TOPIC, Ordered
from shared.chassis import interpreter


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
    """Work on what comes, for ever."""
    ledger = Ledger(mongo)
    await ledger.prepare()
    relay = Relay(kafka, ledger.outbox)
    await relay.start()
    client = consumer(kafka, most)
    await client.start()
    await work(client, ledger, relay)


async def work(
    client: AIOKafkaConsumer, ledger: Ledger, relay: Relay, note_every: float = 1.0
) -> None:
    """Commit a batch and hand it to the relay, and read and decode the next one meanwhile.

    Offsets of what is applied once a second, for they are not the truth.
    """
    loop = asyncio.get_running_loop()
    noted, applied = loop.time(), dict[TopicPartition, int]()
    arrived, ends = await polled(client)
    while True:
        (then, further), _ = await asyncio.gather(polled(client), commit(arrived, ledger, relay))
        applied |= ends
        arrived, ends = then, further
        if applied and loop.time() - noted > note_every:
            await client.commit(applied)
            noted = loop.time()


async def polled(client: AIOKafkaConsumer) -> tuple[list[Arrived], dict[TopicPartition, int]]:
    """What came, decoded; and from where it is read on once that is applied."""
    came = await client.getmany(timeout_ms=200)
    records: list[Any] = [one for of_a_place in came.values() for one in of_a_place]
    arrived = [Arrived.of(one, Ordered.model_validate_json(one.value)) for one in records]
    return arrived, {place: of_a_place[-1].offset + 1 for place, of_a_place in came.items()}


async def commit(arrived: list[Arrived], ledger: Ledger, relay: Relay) -> None:
    """Hand it to the relay at once: the next poll may find nothing for a while."""
    if arrived:
        relay.offer(await ledger.apply(arrived))


if __name__ == "__main__":
    interpreter.spare_the_collector()
    uvloop.run(
        consume(
            os.environ["BENCH_KAFKA"],
            os.environ["BENCH_MONGO"],
            int(os.environ.get("BENCH_BATCH", "500")),
        )
    )
