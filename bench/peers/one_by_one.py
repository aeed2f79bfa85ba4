"""A peer: a plain aiokafka loop with a transaction per event."""

import asyncio
import os

import uvloop

from bench.peers.by_hand import consumer
from bench.peers.ledger import Arrived, Ledger
from bench.peers.outbox import Relay
from shared.chassis import interpreter


async def consume(kafka: str, mongo: str) -> None:
    """One event, one transaction; sent by the relay, offsets once a second."""
    ledger = Ledger(mongo)
    await ledger.prepare()
    relay = Relay(kafka, ledger.outbox)
    await relay.start()
    client = consumer(kafka, 500)
    await client.start()
    loop = asyncio.get_running_loop()
    noted = loop.time()
    async for one in client:
        relay.offer(await ledger.apply([Arrived.of(one)]))
        if loop.time() - noted > 1.0:
            await client.commit()
            noted = loop.time()


if __name__ == "__main__":
    interpreter.spare_the_collector()
    uvloop.run(consume(os.environ["BENCH_KAFKA"], os.environ["BENCH_MONGO"]))
