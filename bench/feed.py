"""The orders that are fed to every side: the same records, numbered and chained as Telar's are."""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import uuid_utils
from aiokafka import AIOKafkaProducer

from bench.work import SOURCE_TOPIC, Ordered, fold
from shared.chassis import streams
from shared.chassis.envelope import Envelope, encode, encode_value, envelope
from shared.chassis.ports import Document, Outgoing
from shared.model import Context

PARTITIONS = 8


@dataclass(frozen=True)
class Load:
    """So many orders of so many people, who come in an order shuffled anew each time round.

    With a stride they are every so-many-th of all whom there are.
    """

    orders: int
    people: int
    prefix: str = "p"
    seed: int = 7
    stride: int = 1

    def person(self, number: int) -> str:
        """Her id: as long as a real one."""
        return f"{self.prefix}-{number * self.stride:08d}-a1b2c3d4e5f6"

    def events(self) -> Iterator[Ordered]:
        """The orders, one after another."""
        chance = random.Random(self.seed)  # noqa: S311  a workload, no secret
        turn = list(range(self.people))
        for number in range(self.orders):
            place = number % self.people
            if place == 0:
                chance.shuffle(turn)
            yield Ordered(
                person_id=self.person(turn[place]),
                order_id=str(uuid_utils.uuid7()),
                number=number // self.people + 1,
                amount=chance.randrange(1_00, 9_000_00),
                product=f"loom-{chance.randrange(100)}",
                units=chance.randrange(1, 40),
            )

    def check(self, orders: int) -> int:
        """What `Account.check` is after so many orders of one person."""
        check = 0
        for number in range(1, orders + 1):
            check = fold(check, number)
        return check


def envelopes(load: Load) -> Iterator[Envelope]:
    """The orders as a publisher's outbox would hold them."""
    held: dict[str, Document] = {}
    for event in load.events():
        cause = str(uuid_utils.uuid7())
        at = datetime.fromtimestamp(time.time(), UTC)
        now = Context(at=at, actor="bench", cause=cause, correlation=cause)
        bare = envelope(event, encode_value(event), str(uuid_utils.uuid7()), now)
        key = event.person_id
        held[key], sealed = streams.number(held.get(key) or streams.fresh(key), bare)
        yield sealed


def records(load: Load) -> Iterator[Outgoing]:
    """The orders as Kafka records."""
    return map(encode, envelopes(load))


async def feed(kafka: str, outgoing: Sequence[Outgoing], topic: str = SOURCE_TOPIC) -> None:
    """Send them, as fast as they go."""
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka, acks="all", compression_type="zstd", max_batch_size=256 * 1024
    )
    await producer.start()
    try:
        for one in outgoing:
            await producer.send(topic, one.value, one.key, headers=list(one.headers))
    finally:
        await producer.stop()
