"""Compares what clients were told with the databases and with Kafka. Knows nothing of the product.

It reads documents and records as anybody could, with the plain drivers:

    accepted   exactly once in the shelf's outbox and states, on the reader's card, in the receipts
    refused    nowhere;  unknown  everywhere or nowhere
    order      numbers without a gap, chained by hash, and every position is of the last one;
               what was asked after an answer comes after it, everywhere
    rest       nothing waits to be sent, nothing is parked or set aside; Kafka has every event,
               and none besides
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from operator import itemgetter
from typing import Any, NamedTuple

from pymongo import AsyncMongoClient
from pymongo.read_concern import ReadConcern

from tests.faults.checker.outside import GENESIS, digest
from tests.faults.crash.history import Call, History
from tests.faults.crash.topics import Topics

Document = dict[str, Any]
PARTITIONS = 2


class Place(NamedTuple):
    """A number and the hash of its event, as a service keeps them of a stream."""

    number: int
    digest: str


@dataclass(frozen=True)
class Seen:
    """One key as it stands in both databases."""

    key: str
    events: list[Document]
    """Of the shelf, by sequence: kind, number, sequence."""
    answers: list[Document]
    """The same of the reader."""
    ledger: list[int]
    card: list[int]
    receipts: list[int]
    positions: Mapping[str, Place]


class Databases:
    """Majority reads of the two databases of a lane."""

    def __init__(self, uri: str, lane: str) -> None:
        self._client: AsyncMongoClient[Document] = AsyncMongoClient(uri)
        majority = ReadConcern("majority")
        self.shelf = self._client.get_database(f"{lane}_shelf", read_concern=majority)
        self.reader = self._client.get_database(f"{lane}_reader", read_concern=majority)

    def of(self, service: str) -> Any:
        """The database of one of the two."""
        return {"shelf": self.shelf, "reader": self.reader}[service]

    async def drop(self) -> None:
        """Forget both of them, and let go."""
        for database in (self.shelf, self.reader):
            await self._client.drop_database(database.name)
        await self._client.close()

    async def seen(self, keys: Sequence[str]) -> list[Seen]:
        """Everything that is known of these keys."""
        ours, theirs = (
            await _by_id(self.shelf, "streams", keys),
            await _by_id(self.reader, "streams", keys),
        )
        events, answers = await _events(self.shelf, keys), await _events(self.reader, keys)
        ledgers = await _by_id(self.shelf, "ledgers", keys)
        cards = await _by_id(self.reader, "cards", keys)
        receipts = await _by_id(self.shelf, "receipts", keys)
        return [
            Seen(
                key=key,
                events=events[key],
                answers=answers[key],
                ledger=list(ledgers[key].get("numbers", ())),
                card=list(cards[key].get("loans", ())),
                receipts=list(receipts[key].get("numbers", ())),
                positions={
                    "shelf gave": _position(ours[key], "out", "shelf"),
                    "reader applied": _position(theirs[key], "in", "shelf"),
                    "reader gave": _position(theirs[key], "out", "reader"),
                    "shelf applied": _position(ours[key], "in", "reader"),
                },
            )
            for key in keys
        ]

    async def passed(self, keys: Sequence[str]) -> bool:
        """Whether the reader's positions are beyond all that the shelf was asked for."""
        seen = await self.seen(keys)
        return all(len(one.events) == one.positions["reader applied"].number for one in seen)

    async def is_taken_up(self) -> bool:
        """Whether the release that handles every type has all partitions."""
        ended: Document = {
            "types": "telar.shelf.book-recalled.v1",
            "missed": {"$not": {"$elemMatch": {"to": None}}},
        }
        return await self.reader["handled"].count_documents(ended) == PARTITIONS

    async def recalls(self, keys: Sequence[str]) -> int:
        """How many recalls were published."""
        told = [one for seen in await self.seen(keys) for one in _told(seen.events)]
        return sum(kind == "recall" for kind, _ in told)

    async def waiting(self) -> list[str]:
        """What should not be there at rest."""
        found: list[str] = []
        for name, database in (("shelf", self.shelf), ("reader", self.reader)):
            unsent = await database["outbox"].count_documents({"send_after": {"$exists": True}})
            found += [f"{name}: {unsent} commits wait to be sent"] if unsent else []
            async for one in database["backfills"].find({"state": {"$ne": "done"}}):
                found.append(f"{name}: the backfill of {one['_id']} is {one['state']}")
            async for one in database["backfills"].find({"failures": {"$ne": []}}):
                found.append(f"{name}: the backfill of {one['_id']} failed: {one['failures']}")
            async for one in database["parked"].find({}):
                found.append(f"{name}: {one['_id']} is parked ({one['reason']} {one['code']})")
            async for one in database["quarantine"].find({}):
                found.append(f"{name}: {one['_id']} is set aside ({one['code']})")
        return found

    async def lent(self, shelves: Sequence[str]) -> dict[str, int]:
        """The sum that each shelf keeps."""
        found = await _by_id(self.shelf, "shelves", shelves)
        return {one: int(document.get("lent", 0)) for one, document in found.items()}


async def _by_id(database: Any, name: str, ids: Sequence[str]) -> dict[str, Document]:
    found = await database[name].find({"_id": {"$in": list(ids)}}).to_list(None)
    return {one: {} for one in ids} | {one["_id"]: one for one in found}


async def _events(database: Any, keys: Sequence[str]) -> dict[str, list[Document]]:
    cursor = database["outbox"].find({"events.key": {"$in": list(keys)}}, {"events": 1})
    events: dict[str, list[Document]] = {key: [] for key in keys}
    for document in await cursor.to_list(None):
        for one in document["events"]:
            if one["key"] in events:
                events[one["key"]].append(one)
    return {key: sorted(found, key=itemgetter("sequence")) for key, found in events.items()}


def _position(stream: Document, part: str, topic: str) -> Place:
    return Place(*stream.get(part, {}).get(topic, (0, GENESIS)))


async def check(history: History, databases: Databases, topics: Topics) -> list[str]:
    """What is wrong; empty when everything is as it was told."""
    found = list(history.faults) + await databases.waiting()
    lent: dict[str, int] = defaultdict(int)
    for seen in await databases.seen(history.written()):
        calls = [call for call in history.calls if call.key == seen.key]
        found += [f"{seen.key}: {fault}" for fault in _faults(seen, calls, history)]
        for topic, events in (("telar.shelf", seen.events), ("telar.reader", seen.answers)):
            wrong = topics.differing(topic, seen.key, events)
            found += [f"{seen.key}: {one}" for one in wrong]
        lent[calls[0].shelf] += sum(number for kind, number in _told(seen.events) if kind == "loan")
    for shelf, kept in (await databases.lent(list(lent))).items():
        if kept != lent[shelf]:
            found.append(f"{shelf}: {kept} lent, {lent[shelf]} published")
    return found


def _faults(seen: Seen, calls: list[Call], history: History) -> Iterable[str]:
    told = _told(seen.events)
    numbers = [number for _, number in told]
    in_order = seen.card if history.is_late and sorted(seen.card) == sorted(numbers) else numbers
    yield from _once(told, calls)
    yield from _ordered(numbers, calls)
    for name, events in (("shelf", seen.events), ("reader", seen.answers)):
        places = [event["sequence"] for event in events]
        if places != list(range(1, len(places) + 1)):
            yield f"{name}: numbered {places}"
        yield from (f"{name}: {fault}" for fault in _broken(events))
    everywhere = {
        "ledger": ([number for kind, number in told if kind == "loan"], seen.ledger),
        "card": (in_order, seen.card),
        "answers": (in_order, [number for _, number in _told(seen.answers)]),
        "receipts": (in_order, seen.receipts),
    }
    for name, (expected, there) in everywhere.items():
        if there != expected:
            yield f"{name} has {there}, published {expected}"
    ends = {"shelf": _end(seen.events), "reader": _end(seen.answers)}
    for name, position in seen.positions.items():
        published = ends["shelf" if name in ("shelf gave", "reader applied") else "reader"]
        if position.number != len(numbers):
            yield f"{name} {position.number} of {len(numbers)}"
        elif position != published:
            yield f"{name} {position.number}, and it is another event"


def _end(events: Sequence[Document]) -> Place:
    """Where a stream ends."""
    return Place(len(events), digest(events[-1]) if events else GENESIS)


def _broken(events: Sequence[Document]) -> Iterable[str]:
    """Events that do not name the one before them by its hash."""
    before = GENESIS
    for event in events:
        if event["previous"] != before:
            yield f"the chain breaks at {event['sequence']}"
        before = digest(event)


def _told(events: list[Document]) -> list[tuple[str, int]]:
    kinds = {"book-lent": "loan", "book-recalled": "recall", "card-noted": "note"}
    return [
        (kinds[one["type"].split(".")[2]], json.loads(one["value"])["number"]) for one in events
    ]


def _once(told: list[tuple[str, int]], calls: list[Call]) -> Iterable[str]:
    for call in calls:
        times = told.count((call.kind, call.number))
        allowed = {"accepted": (1,), "refused": (0,)}.get(call.outcome, (0, 1))
        if times not in allowed:
            yield f"{call}: {call.outcome}, and {times} times there"
    asked = {(call.kind, call.number) for call in calls}
    yield from (f"{one}: nobody asked for it" for one in told if one not in asked)


def _ordered(numbers: list[int], calls: list[Call]) -> Iterable[str]:
    """Loans asked for one after the other's answer stand in that order."""
    sure = [call for call in calls if call.kind == "loan" and call.number in numbers]
    for before, after in permutations(sure, 2):
        is_after = before.outcome == "accepted" and before.answered < after.invoked
        if is_after and numbers.index(before.number) > numbers.index(after.number):
            yield f"{after} overtook {before}"
