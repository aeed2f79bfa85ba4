"""The platform seen from outside: plain MongoDB and Kafka, with nothing of Telar imported."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from pymongo import MongoClient

ASYNCAPI = Path(__file__).parents[2] / "contracts" / "asyncapi.json"


def _subscribers() -> dict[str, list[str]]:
    """By publishing service, who consumes of its topic, as the committed document says."""
    operations = [name.split(".") for name in json.loads(ASYNCAPI.read_text())["operations"]]
    found: dict[str, list[str]] = {name: [] for name, verb, _ in operations if verb == "publish"}
    for name, verb, topic in operations:
        if verb == "consume":
            found[topic].append(name)
    return found


SUBSCRIBERS = _subscribers()
PUBLISHERS = tuple(SUBSCRIBERS)
BUCKETS = ("available", "reserved", "committed", "disbursed")
SEATED = ("confirmed", "offered", "completed", "revoked")
GOING = ("confirmed", "offered")


@dataclass
class Topic:
    """One topic: what was published, what stands in Kafka, what each subscriber applied."""

    published: int
    in_kafka: int
    applied: dict[str, int] = field(default_factory=dict)


class Outside:
    """Reads the databases and topics of one platform."""

    def __init__(self, mongo: str, kafka: str, prefix: str = "telar_") -> None:
        self._client: MongoClient[dict[str, Any]] = MongoClient(mongo, tz_aware=True)
        self._kafka, self._prefix = kafka, prefix

    def close(self) -> None:
        self._client.close()

    def collection(self, service: str, name: str) -> list[dict[str, Any]]:
        return list(self._client[f"{self._prefix}{service}"][name].find())

    def one(self, service: str, name: str, doc_id: str) -> dict[str, Any]:
        """One document, or an empty one."""
        return self._client[f"{self._prefix}{service}"][name].find_one({"_id": doc_id}) or {}

    async def facts(self, service: str, key: str) -> list[tuple[str, dict[str, Any]]]:
        """What a service published of one key, in order: the type's own name, and the fields."""
        return [
            (headers["ce_type"].split(".")[2], json.loads(value))
            for headers, value in await self._published(service, key)
        ]

    async def headers(self, service: str, key: str) -> list[dict[str, str]]:
        """The attributes of what a service published of one key, in order."""
        return [headers for headers, _ in await self._published(service, key)]

    async def _published(self, service: str, key: str) -> list[tuple[dict[str, str], bytes]]:
        found = {}
        for record in await self._records(f"telar.{service}"):
            if record.key == key.encode():
                named = {name: value.decode() for name, value in record.headers}
                found[int(named["ce_sequence"])] = (named, record.value)
        return [found[number] for number in sorted(found)]

    async def topics(self) -> dict[str, Topic]:
        found = {}
        for name, subscribers in SUBSCRIBERS.items():
            applied = {one: self._sum(one, "in").get(name, 0) for one in subscribers}
            published = self._sum(name, "out").get(name, 0)
            in_kafka = len(await self._numbers(f"telar.{name}"))
            found[name] = Topic(published, in_kafka, applied)
        return found

    def waiting(self) -> dict[str, int]:
        """What waits, by service and collection; empty when nothing does."""
        counts: Counter[str] = Counter()
        for service in (*PUBLISHERS, "gateway"):
            database = self._client[f"{self._prefix}{service}"]
            counts[f"{service}.parked"] = database["parked"].count_documents({})
            counts[f"{service}.quarantine"] = database["quarantine"].count_documents({})
            unsent = {"send_after": {"$exists": True}}
            counts[f"{service}.outbox"] = database["outbox"].count_documents(unsent)
        return {name: count for name, count in counts.items() if count}

    def pools(self) -> list[tuple[str, dict[str, int], int]]:
        """Each pool's buckets, and what went in less what was taken out, from the outbox."""
        given: Counter[str] = Counter()
        for event in self._events("grants"):
            sign = {"pool-opened": 1, "pool-increased": 1, "pool-reduced": -1}
            if times := sign.get(event["type"].split(".")[2], 0):
                given[event["key"]] += times * int(_value(event)["amount"])
        return [
            (pool["_id"], {name: pool["balances"][name] for name in BUCKETS}, given[pool["_id"]])
            for pool in self.collection("grants", "pools")
        ]

    def over_capacity(self) -> list[str]:
        """Cohorts and fairs with more seats or places taken than there are."""
        seats = self._taken("training", "seats", "cohort_id", SEATED)
        places = self._taken("trade", "places", "fair_id", GOING)
        cohorts = self.collection("training", "cohorts")
        fairs = self.collection("trade", "fairs")
        over = [one["_id"] for one in cohorts if seats[one["_id"]] > one["capacity"]]
        return over + [one["_id"] for one in fairs if places[one["_id"]] > one["places"]]

    def certificates(self) -> list[tuple[str, str]]:
        """Whose, and of which course."""
        held = self.collection("training", "certificates")
        return [(one["person_id"], one["course_id"]) for one in held]

    def _taken(self, service: str, name: str, of: str, states: tuple[str, ...]) -> Counter[str]:
        return Counter(one[of] for one in self.collection(service, name) if one["status"] in states)

    def _events(self, service: str) -> list[dict[str, Any]]:
        return [event for one in self.collection(service, "outbox") for event in one["events"]]

    def _sum(self, service: str, part: str) -> dict[str, int]:
        total: dict[str, int] = defaultdict(int)
        for stream in self.collection(service, "streams"):
            for topic, place in stream.get(part, {}).items():
                total[topic] += int(place[0])
        return total

    async def _numbers(self, topic: str) -> set[tuple[bytes, bytes]]:
        """The distinct (key, number) that stand in this topic."""
        records = await self._records(topic)
        return {(one.key or b"", dict(one.headers)["ce_sequence"]) for one in records}

    async def _records(self, topic: str) -> list[Any]:
        """All that stands in this topic."""
        consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=self._kafka,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        await consumer.start()
        try:
            return await _read(consumer, await consumer.end_offsets(consumer.assignment()))
        finally:
            await consumer.stop()


async def _read(consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]) -> list[Any]:
    seen: list[Any] = []
    while [place for place, end in ends.items() if await consumer.position(place) < end]:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            seen += records
    return seen


def _value(event: dict[str, Any]) -> dict[str, Any]:
    value = event["value"]
    fields: dict[str, Any] = json.loads(bytes(value))
    return fields


async def violations(outside: Outside) -> list[str]:
    """What is not as it must be once the platform is at rest; empty when all is."""
    return [*_of_streams(outside, await outside.topics()), *_of_things(outside)]


def _of_streams(outside: Outside, topics: dict[str, Topic]) -> list[str]:
    wrong = [f"{name}: {count} wait" for name, count in outside.waiting().items()]
    for name, topic in topics.items():
        counts = {topic.published, topic.in_kafka, *topic.applied.values()}
        if counts != {topic.published}:
            wrong.append(f"{name}: {topic}")
    return wrong


def _of_things(outside: Outside) -> list[str]:
    wrong = [f"{one} is over capacity" for one in outside.over_capacity()]
    for pool_id, buckets, given in outside.pools():
        if min(buckets.values()) < 0 or sum(buckets.values()) != given:
            wrong.append(f"pool {pool_id}: {buckets} of {given}")
    twice = Counter(outside.certificates())
    return wrong + [f"certificate {one} {n} times" for one, n in twice.items() if n > 1]
