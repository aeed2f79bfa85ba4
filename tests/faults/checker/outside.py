"""The platform as its servers hold it: plain MongoDB, plain Kafka, plain HTTP for the metrics."""

import hashlib
import http.client
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import UnknownTopicOrPartitionError
from pymongo import MongoClient

CONTRACT = Path(__file__).parents[3] / "contracts" / "asyncapi.json"


def _subscribers() -> dict[str, list[str]]:
    """By publishing service, who consumes of its topic, as the committed document says."""
    operations = [name.split(".") for name in json.loads(CONTRACT.read_text())["operations"]]
    found: dict[str, list[str]] = {name: [] for name, verb, _ in operations if verb == "publish"}
    for name, verb, topic in operations:
        if verb == "consume":
            found[topic].append(name)
    return found


SUBSCRIBERS = _subscribers()
PUBLISHERS = tuple(SUBSCRIBERS)
EVERYBODY = (*PUBLISHERS, "gateway")
GENESIS = "0" * 64

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Room:
    """What has so many places, and who takes one."""

    service: str
    groups: str
    size: str
    things: str
    of: str
    states: tuple[str, ...]
    """Those of a thing that takes a place."""


ROOMS = (
    Room(
        *("training", "cohorts", "capacity", "seats", "cohort_id"),
        states=("confirmed", "offered", "completed", "revoked"),
    ),
    Room("trade", "fairs", "places", "places", "fair_id", states=("confirmed", "offered")),
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One published event, as an outbox or a topic holds it."""

    key: str
    sequence: int
    previous: str
    digest: str
    type: str
    correlation: str
    value: bytes
    commit: str = ""
    """The outbox document; empty for what was read from Kafka."""

    @property
    def name(self) -> str:
        """person-registered, of telar.enrollment.person-registered.v1."""
        return self.type.split(".")[2]


@dataclass(frozen=True, slots=True)
class Stored:
    """One record of a topic."""

    partition: int
    offset: int
    headers: dict[str, str]
    fact: Fact | None


class Outside:
    """Reads the databases and topics of one platform."""

    def __init__(self, mongo: str, kafka: str) -> None:
        self._client: MongoClient[Document] = MongoClient(
            mongo, tz_aware=True, readConcernLevel="majority"
        )
        self._kafka = kafka

    def close(self) -> None:
        self._client.close()

    def there(self) -> set[str]:
        """The services that have a database."""
        names = self._client.list_database_names()
        return {name.removeprefix("telar_") for name in names if name.startswith("telar_")}

    def all(self, service: str, collection: str, **fields: int) -> list[Document]:
        """A whole collection."""
        return list(self._client[f"telar_{service}"][collection].find({}, fields or None))

    def collections(self, service: str) -> list[str]:
        """The names of what it stores."""
        return self._client[f"telar_{service}"].list_collection_names()

    def set_all(self, service: str, collection: str, fields: Document) -> None:
        """Write these fields into every document: a fault, while the service is down."""
        self._client[f"telar_{service}"][collection].update_many({}, {"$set": fields})

    def read_up_to(self, service: str) -> dict[tuple[str, int], int]:
        """The offsets that a service stored, by partition."""
        return {place_of(one["_id"]): int(one["next"]) for one in self.all(service, "offsets")}

    def has(self, service: str, collection: str, doc_id: str) -> bool:
        """Whether there is such a document."""
        found = self._client[f"telar_{service}"][collection].find_one({"_id": doc_id}, {"_id": 1})
        return found is not None

    def one(self, service: str, collection: str, doc_id: str) -> Document:
        """One document, or an empty one."""
        return self._client[f"telar_{service}"][collection].find_one({"_id": doc_id}) or {}

    def count(self, service: str, collection: str, having: str | None = None) -> int:
        """How many documents, or how many with this field."""
        where = {having: {"$exists": True}} if having else {}
        return self._client[f"telar_{service}"][collection].count_documents(where)

    def waiting(self) -> dict[str, int]:
        """Unsent commits, parked keys and quarantined records, by service."""
        counts: Counter[str] = Counter()
        for service in self.there() & set(EVERYBODY):
            counts[f"{service}.parked"] = self.count(service, "parked")
            counts[f"{service}.quarantine"] = self.count(service, "quarantine")
            counts[f"{service}.outbox"] = self.count(service, "outbox", "send_after")
        return {name: count for name, count in counts.items() if count}

    def total(self, service: str, part: str) -> Counter[str]:
        """The sum of the last numbers, by topic."""
        stages: list[Document] = [
            {"$project": {"places": {"$objectToArray": f"${part}"}}},
            {"$unwind": "$places"},
            {"$group": {"_id": "$places.k", "sum": {"$sum": {"$first": "$places.v"}}}},
        ]
        found = self._client[f"telar_{service}"]["streams"].aggregate(stages)
        return Counter({str(one["_id"]): int(one["sum"]) for one in found})

    def behind(self) -> dict[str, int]:
        """By topic and subscriber: how many events are published and not applied yet."""
        there = self.there()
        found: dict[str, int] = {}
        for publisher in there & set(PUBLISHERS):
            given = self.total(publisher, "out")[publisher]
            for one in set(SUBSCRIBERS[publisher]) & there:
                found[f"{publisher}>{one}"] = given - self.total(one, "in")[publisher]
        return {name: count for name, count in found.items() if count}

    def outbox(self, service: str) -> Iterator[Fact]:
        """Every event that this service ever decided to publish."""
        for document in self._client[f"telar_{service}"]["outbox"].find():
            for event in document["events"]:
                yield _fact(event, event["correlation"], document["_id"])

    def at_once(self, service: str, *collections: str, **wanted: Document) -> list[list[Document]]:
        """Collections as of one instant, of each what is wanted: everything, if not told."""
        database = self._client[f"telar_{service}"]
        with self._client.start_session(snapshot=True) as session:
            return [
                list(database[name].find(wanted.get(name, {}), session=session))
                for name in collections
            ]

    def pools_and_awards(self, pool: str = "") -> tuple[list[Document], list[Document]]:
        """All of both as of one instant, or one pool and its awards."""
        wanted = {"pools": {"_id": pool}, "awards": {"pool_id": pool}} if pool else {}
        pools, awards = self.at_once("grants", "pools", "awards", **wanted)
        return pools, awards

    def taken(self, room: Room) -> tuple[dict[str, int], dict[str, int]]:
        """As of one instant: by group how many places it has, and how many are taken."""
        database = self._client[f"telar_{room.service}"]
        stages: list[Document] = [
            {"$match": {"status": {"$in": list(room.states)}}},
            {"$group": {"_id": f"${room.of}", "sum": {"$sum": 1}}},
        ]
        with self._client.start_session(snapshot=True) as session:
            groups = list(database[room.groups].find({}, {room.size: 1}, session=session))
            found = list(database[room.things].aggregate(stages, session=session))
        return (
            {str(one["_id"]): int(one[room.size]) for one in groups},
            {str(one["_id"]): int(one["sum"]) for one in found},
        )

    async def topic(self, topic: str) -> list[Stored]:
        """Every record that stands in a topic; none where the broker lost it."""
        consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=self._kafka,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        try:
            await consumer.start()
            return [_stored(one) async for one in _until_end(consumer)]
        except UnknownTopicOrPartitionError:
            return []
        finally:
            await consumer.stop()

    async def committed(self, group: str) -> dict[tuple[str, int], int]:
        """The offsets that a group noted in Kafka."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._kafka)
        await admin.start()
        try:
            found = await admin.list_consumer_group_offsets(group)
        finally:
            await admin.close()
        return {(place.topic, place.partition): meta.offset for place, meta in found.items()}


def digest(event: Document) -> str:
    """The hash of an event over its place, identity and bytes, as documented."""
    parts = ("previous", "topic", "key", "sequence", "id", "type", "time")
    head = "\n".join(str(event[part]) for part in parts).encode()
    return hashlib.sha256(head + b"\n" + bytes(event["value"])).hexdigest()


def place_of(text: str) -> tuple[str, int]:
    """Topic and partition, as the id of a stored offset names them."""
    topic, _, number = text.rpartition("/")
    return topic, int(number)


def _stored(record: Any) -> Stored:
    headers = {name: raw.decode("latin-1") for name, raw in record.headers}
    try:
        event: Document = {name[3:]: text for name, text in headers.items() if name[:3] == "ce_"}
        event |= {"topic": record.topic, "value": record.value or b""}
        event |= {"key": (record.key or b"").decode(), "sequence": int(event["sequence"])}
        fact = _fact(event, event["correlationid"], "")
    except (KeyError, ValueError, IndexError):
        fact = None  # not one of ours: poison
    return Stored(record.partition, record.offset, headers, fact)


def _fact(event: Document, correlation: str, commit: str) -> Fact:
    return Fact(
        key=event["key"],
        sequence=event["sequence"],
        previous=event["previous"],
        digest=digest(event),
        type=event["type"],
        correlation=correlation,
        value=bytes(event["value"]),
        commit=commit,
    )


async def _until_end(consumer: AIOKafkaConsumer) -> Any:
    ends: dict[TopicPartition, int] = await consumer.end_offsets(list(consumer.assignment()))
    while [place for place, end in ends.items() if await consumer.position(place) < end]:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            for record in records:
                yield record


def metric(urls: Iterable[str], name: str) -> float:
    """The sum of a metric over these processes and all its labels."""
    return sum(_metric(url, name) for url in urls)


def _metric(url: str, name: str) -> float:
    host = url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=5)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    rows = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return sum(float(value) for label, value in rows if label.partition("{")[0] == name)
