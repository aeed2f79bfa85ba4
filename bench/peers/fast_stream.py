"""A peer: FastStream with a transaction per event; its workers keep the order of a partition.

With BENCH_BATCH, so many at once: its own batches, one transaction for each.

Offsets are noted once a second, as by every other side. Each worker is a consumer of its own that
takes its next record, or batch, when the handler is back: where it stands then is what is applied.
"""

import os
import time
from typing import Any

import uvloop
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

from bench.peers.ledger import Arrived, Ledger
from bench.peers.outbox import Relay
from bench.work import SINK, SOURCE_TOPIC, Ordered
from shared.chassis import interpreter

KAFKA, MONGO = os.environ.get("BENCH_KAFKA", ""), os.environ.get("BENCH_MONGO", "")
WORKERS = int(os.environ.get("BENCH_WORKERS", "1"))
BATCH = int(os.environ.get("BENCH_BATCH", "0"))
HOW: dict[str, Any] = {
    "group_id": SINK,
    "auto_offset_reset": "earliest",
    "ack_policy": AckPolicy.MANUAL,
}

broker = KafkaBroker(KAFKA, logger=None)
app = FastStream(broker, logger=None)
ledger = Ledger(MONGO)
started: list[Relay] = []
noted: dict[Any, float] = {}
"""When each consumer last noted where it stands."""


@app.on_startup
async def prepare() -> None:
    """The database, and what an earlier process may not have sent."""
    await ledger.prepare()
    relay = Relay(KAFKA, ledger.outbox)
    await relay.start()
    started.append(relay)


async def book(order: Ordered, message: KafkaMessage) -> None:
    """One event, one transaction."""
    await applied([Arrived.of(message.raw_message, order)], message)


async def book_all(orders: list[Ordered], message: KafkaMessage) -> None:
    """All that came, one transaction."""
    records: Any = message.raw_message
    came = [Arrived.of(raw, order) for raw, order in zip(records, orders, strict=True)]
    await applied(came, message)


async def applied(arrived: list[Arrived], message: KafkaMessage) -> None:
    """Commit them and hand them to the relay. What fails is read again and holds up the rest."""
    try:
        started[0].offer(await ledger.apply(arrived))
    except Exception:
        await message.nack()
        raise
    now = time.monotonic()
    if now - noted.setdefault(message.consumer, now) > 1.0:
        await message.ack()
        noted[message.consumer] = now


if BATCH:
    broker.subscriber(SOURCE_TOPIC, batch=True, max_records=BATCH, **HOW)(book_all)
else:
    broker.subscriber(SOURCE_TOPIC, max_workers=WORKERS, **HOW)(book)


if __name__ == "__main__":
    interpreter.spare_the_collector()
    uvloop.run(app.run())
