"""A peer: FastStream with a transaction per event; its workers keep the order of a partition."""

import os

import uvloop
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

from bench.peers.ledger import Arrived, Ledger
from bench.peers.outbox import Relay
from bench.work import SINK, SOURCE_TOPIC, Ordered
from shared.chassis import collector

KAFKA, MONGO = os.environ.get("BENCH_KAFKA", ""), os.environ.get("BENCH_MONGO", "")
WORKERS = int(os.environ.get("BENCH_WORKERS", "1"))

broker = KafkaBroker(KAFKA, logger=None)
app = FastStream(broker, logger=None)
ledger = Ledger(MONGO)
started: list[Relay] = []


@app.on_startup
async def prepare() -> None:
    """The database, and what an earlier process may not have sent."""
    await ledger.prepare()
    relay = Relay(KAFKA, ledger.outbox)
    await relay.start()
    started.append(relay)


@broker.subscriber(
    SOURCE_TOPIC,
    group_id=SINK,
    auto_offset_reset="earliest",
    max_workers=WORKERS,
    ack_policy=AckPolicy.NACK_ON_ERROR,
)
async def book(order: Ordered, message: KafkaMessage) -> None:
    """One event, one transaction; acknowledged once committed."""
    committed = await ledger.apply([Arrived.of(message.raw_message, order)])
    started[0].offer(committed)


if __name__ == "__main__":
    collector.settle()
    uvloop.run(app.run())
