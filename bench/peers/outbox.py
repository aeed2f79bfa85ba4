"""A hand-written outbox: events with their place in a chained stream, sent in order, then marked.

The records are those that Telar sends, header by header, so that what consumes one side's events
can consume any other's.
"""

import asyncio
import hashlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import time
from typing import Any

import uuid_utils
from aiokafka import AIOKafkaProducer
from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo import IndexModel

from shared.model import Event

GENESIS = "0" * 64
Document = dict[str, Any]
Collection = AsyncIOMotorCollection[Document]
Place = tuple[int, str]
"""A number in a stream, and the hash of what has it."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What an event follows from."""

    id: str
    correlation: str


def digest(previous: str, topic: str, event: Document) -> str:
    """SHA-256 over place, identity and bytes: the next one's `previous`."""
    place = (previous, topic, event["key"], str(event["sequence"]))
    head = "\n".join((*place, event["id"], event["type"], event["time"])).encode()
    return hashlib.sha256(head + b"\n" + event["value"]).hexdigest()


def seal(event: Event, last: Place, cause: Cause) -> tuple[Document, Place]:
    """An event as it is kept in the outbox, next after `last`; and its place."""
    event_type = event.event_type or ""
    at = datetime.fromtimestamp(time(), UTC).isoformat(timespec="milliseconds")
    number, previous = last
    sealed: Document = {
        "id": str(uuid_utils.uuid7()),
        "topic": ".".join(event_type.split(".")[:2]),
        "key": event.stream_key,
        "sequence": number + 1,
        "previous": previous,
        "type": event_type,
        "time": at.replace("+00:00", "Z"),
        "value": event.__pydantic_serializer__.to_json(event),
        "cause": cause.id,
        "correlation": cause.correlation,
        "actor": "service",
    }
    return sealed, (number + 1, digest(previous, sealed["topic"], sealed))


def headers(event: Document) -> list[tuple[str, bytes]]:
    """The attributes of an event as a Kafka record carries them."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", event["id"].encode()),
        ("ce_source", b"/telar/" + event["topic"].removeprefix("telar.").encode()),
        ("ce_type", event["type"].encode()),
        ("ce_time", event["time"].encode()),
        ("ce_subject", event["key"].encode()),
        ("ce_sequence", str(event["sequence"]).encode()),
        ("ce_previous", event["previous"].encode()),
        ("ce_partitionkey", event["key"].encode()),
        ("ce_correlationid", event["correlation"].encode()),
        ("ce_causationid", event["cause"].encode()),
        ("ce_dataschema", b"urn:telar:schema:" + event["type"].encode()),
        ("content-type", b"application/json"),
    ]


def row(events: Sequence[Document]) -> Document:
    """The outbox document of one commit."""
    now = datetime.fromtimestamp(time(), UTC)
    after = now + timedelta(seconds=5)
    return {"_id": str(uuid_utils.uuid7()), "at": now, "send_after": after, "events": events}


INDEXES = [
    IndexModel([("send_after", 1)], partialFilterExpression={"send_after": {"$exists": True}}),
    IndexModel([("events.key", 1), ("events.sequence", 1)]),
]


class Relay:
    """Sends what was committed, many commits at once, and marks them with one update."""

    def __init__(self, kafka: str, outbox: Collection) -> None:
        self._outbox = outbox
        self._producer = AIOKafkaProducer(
            bootstrap_servers=kafka,
            acks="all",
            enable_idempotence=True,
            compression_type="zstd",
            linger_ms=5,
            max_batch_size=256 * 1024,
        )
        self._waiting: deque[Document] = deque()
        self._bell = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Send first what an earlier process may not have sent."""
        await self._producer.start()
        unsent = self._outbox.find({"send_after": {"$exists": True}}).sort("_id")
        for document in await unsent.to_list(None):
            self.offer(document)
        self._running = asyncio.create_task(self._run())

    def offer(self, committed: Document | None) -> None:
        """Send this soon."""
        if committed is not None:
            self._waiting.append(committed)
            self._bell.set()

    async def _run(self) -> None:
        while True:
            await self._bell.wait()
            self._bell.clear()
            batch = list(self._waiting)
            self._waiting.clear()
            answers = [
                await self._producer.send(
                    event["topic"], event["value"], event["key"].encode(), headers=headers(event)
                )
                for document in batch
                for event in document["events"]
            ]
            await asyncio.gather(*answers)
            sent = {"_id": {"$in": [document["_id"] for document in batch]}}
            await self._outbox.update_many(sent, {"$unset": {"send_after": ""}})
