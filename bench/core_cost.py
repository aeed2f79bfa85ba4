"""What one event costs in the core alone, in processor time: no server, no network.

`python -m bench.core_cost` gives the figure of the decision records: the best of several runs of
many batches of 500, which says what the code costs whatever else the machine does.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import bson

from bench.feed import Load, records
from bench.telar import handlers
from shared.chassis import interpreter
from shared.chassis.clock import Clock
from shared.chassis.consumer import Intake
from shared.chassis.envelope import Envelope, encode
from shared.chassis.ports import (
    Bus,
    Document,
    Loaded,
    Place,
    Put,
    Record,
    Sent,
    Store,
    Write,
    nobody,
)
from shared.chassis.writer import Writer

BATCH, BATCHES, PEOPLE, RUNS = 500, 30, 5_000, 5


class Kept:
    """A store that encodes and decodes as MongoDB's driver does, and keeps the bytes."""

    def __init__(self) -> None:
        self._bytes: dict[tuple[str, str], bytes] = {}

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["Kept"]:
        """Everything succeeds."""
        yield self

    snapshot = transaction

    async def load(self, wanted: Mapping[str, Sequence[str]]) -> Loaded:
        """What is there."""
        return {
            name: {one: bson.decode(self._bytes[name, one]) for one in ids if self._has(name, one)}
            for name, ids in wanted.items()
        }

    def _has(self, name: str, doc_id: str) -> bool:
        return (name, doc_id) in self._bytes

    async def write(self, writes: Sequence[Write]) -> None:
        """Keep it."""
        for write in writes:
            if isinstance(write, Put):
                document: Document = write.document
                encoded = bson.encode(document, check_keys=True)
                self._bytes[write.collection, document["_id"]] = encoded

    async def commit(self, writes: Sequence[Write] = (), sent: Sent = nobody) -> None:
        """Keep these too."""
        await self.write(writes)
        sent()


class Fed:
    """A bus with one consumer, whose records are there."""

    def __init__(self, records: list[Record]) -> None:
        self._left = [records[at : at + BATCH] for at in range(0, len(records), BATCH)]

    async def consumer(self, *_: object) -> "Fed":
        """It, from the start."""
        return self

    async def poll(self) -> list[Record]:
        """The next ones."""
        return self._left.pop(0) if self._left else []

    def lag(self) -> dict[Place, int]:
        """Of no partition."""
        return {}

    def assigned(self) -> frozenset[Place]:
        """None, so that no offset is noted."""
        return frozenset()


async def measure() -> dict[str, float]:
    """Microseconds of processor time an event: applying, and making the records to send."""
    made = [
        Record(one.topic, 0, number, one.key, one.value, one.headers)
        for number, one in enumerate(records(Load(BATCH * BATCHES, PEOPLE)))
    ]
    published = list[list[Envelope]]()
    applying = [await _applied(made, published) for _ in range(RUNS)]
    sending = [_encoded(events) / len(events) for events in published]
    return {"apply": min(applying) / len(made) * 1e6, "encode": min(sending) * 1e6}


async def _applied(made: list[Record], published: list[list[Envelope]]) -> float:
    store = cast(Store, Kept())
    clock = Clock(store)
    writer = Writer(store, clock, handlers, lambda _, events: published.append(list(events)))
    nothing: Any = None
    intake = Intake(
        *("core", ["telar.source"]),
        store=store,
        bus=cast(Bus, Fed(made)),
        clock=clock,
        writer=writer,
        control=nothing,
        handled=nothing,
    )
    writing = asyncio.create_task(writer.run())
    began = time.process_time()
    for _ in range(BATCHES):
        await intake._step()
    took = time.process_time() - began
    writing.cancel()
    return took


def _encoded(events: list[Envelope]) -> float:
    began = time.process_time()
    for event in events:
        encode(event)
    return time.process_time() - began


if __name__ == "__main__":
    interpreter.spare_the_collector()
    for what, microseconds in asyncio.run(measure()).items():
        sys.stdout.write(f"{what:<8}{microseconds:7.1f} µs an event\n")
