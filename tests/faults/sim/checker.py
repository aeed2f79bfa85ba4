"""Judges what is left of a seed. Knows documents, records and the history; nothing of the product.

Each finding names the invariant that is broken:

    effect      an accepted command took effect once, a refused one not, an unknown one whole or not
    subscribers every fact of shop arrived at desk and view once, in order
    follow-ups  every note of desk arrived at shop and view once, in order
    numbers     the events of a stream are numbered 1..n and chained by hash
    capacity    a room never has more seats than it has
    skew        of a pair one side is taken at most
    deadlines   a held seat is kept or lost, once
    replies     a repeat gets the same bytes, another body under the key gets 422
    ghosts      what stands in Kafka stands in the outbox
    sent        what the outbox calls sent stands in Kafka; in the end everything is sent
    offsets     no stored offset is past a record that was not dealt with
    parked      in the end nothing waits, nothing is set aside
    positions   in the end every subscriber is where its publisher is
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SEATS = 3
Finding = tuple[str, str]
Document = Mapping[str, Any]
Documents = Mapping[str, Document]


@dataclass(frozen=True)
class Record:
    """One record of a topic."""

    topic: str
    partition: int
    offset: int
    key: str
    id: str
    sequence: int
    value: bytes


@dataclass(frozen=True)
class Evidence:
    """All that is looked at: databases by service and collection, and the records of Kafka."""

    services: Mapping[str, Mapping[str, Documents]]
    records: Sequence[Record]
    harmed: frozenset[tuple[str, int]]
    """Partitions of which Kafka lost something."""

    restored: frozenset[str] = frozenset()
    """Publishers that came back from an old backup: what they did since then, they do again."""

    def documents(self, service: str, collection: str) -> Documents:
        """Documents by id."""
        return self.services[service].get(collection, {})

    def events(self, service: str) -> list[Document]:
        """The events of a service's outbox, in the order of their streams."""
        rows = self.documents(service, "outbox").values()
        events = [event for row in rows for event in row["events"]]
        return sorted(events, key=lambda event: (event["topic"], event["key"], event["sequence"]))


def at_any_time(evidence: Evidence, *, at_end: bool = False) -> Iterator[Finding]:
    """What must hold in every instant."""
    yield from _ghosts(evidence, at_end=at_end)
    yield from _sent(evidence)
    yield from _offsets(evidence)
    yield from _numbers(evidence)


def at_the_end(evidence: Evidence, history: Sequence[Document]) -> Iterator[Finding]:
    """What must hold once all is healed and quiet."""
    yield from at_any_time(evidence, at_end=True)
    yield from _effects(evidence, history)
    yield from _subscribers(evidence)
    yield from _rooms(evidence)
    yield from _pairs(evidence)
    yield from _replies(history)
    yield from at_rest(evidence)


def _ghosts(evidence: Evidence, *, at_end: bool) -> Iterator[Finding]:
    known = {
        (event["topic"], event["key"], event["sequence"], event["id"], event["value"])
        for service in evidence.services
        for event in evidence.events(service)
    }
    adopting = {f"telar.{service}" for service in evidence.restored} if not at_end else set()
    for one in evidence.records:
        place = one.topic, one.key, one.sequence, one.id, one.value
        if place not in known and one.topic not in adopting:
            yield "ghosts", f"{one.topic}/{one.key} {one.sequence} was sent, and is in no outbox"


def _sent(evidence: Evidence) -> Iterator[Finding]:
    there = {(one.topic, one.key, one.sequence) for one in evidence.records}
    partitions = {(one.topic, one.key): one.partition for one in evidence.records}
    topics = {topic for topic, _ in evidence.harmed}
    for service in evidence.services:
        for row in evidence.documents(service, "outbox").values():
            for event in row["events"] if "send_after" not in row else ():
                place = event["topic"], event["key"], event["sequence"]
                # Of a key with no record left nobody knows where it stood.
                at = partitions.get(place[:2])
                is_harmed = place[0] in topics if at is None else (place[0], at) in evidence.harmed
                if place not in there and not is_harmed:
                    yield "sent", f"{place} is marked as sent, and is not in Kafka"


def _offsets(evidence: Evidence) -> Iterator[Finding]:
    for service in evidence.services:
        stored = {key: row["next"] for key, row in evidence.documents(service, "offsets").items()}
        for one in evidence.records:
            if (one.topic, one.partition) in evidence.harmed or _dealt_with(evidence, service, one):
                continue
            if one.offset < stored.get(f"{one.topic}/{one.partition}", 0):
                yield "offsets", f"{service} is past {one.topic}/{one.partition}/{one.offset}"


def at_reset(
    evidence: Evidence, service: str, place: tuple[str, int], offset: int
) -> Iterator[Finding]:
    """A consumer without a valid offset begins at this one."""
    for one in evidence.records:
        passed = (one.topic, one.partition) == place and one.offset < offset
        if passed and not _dealt_with(evidence, service, one):
            yield "offsets", f"{service} begins {place} at {offset}, past {one.offset}"


def _dealt_with(evidence: Evidence, service: str, one: Record) -> bool:
    stream = evidence.documents(service, "streams").get(one.key)
    short = one.topic.removeprefix("telar.")
    if stream and stream["in"].get(short, (0, ""))[0] >= one.sequence:
        return True
    parked = evidence.documents(service, "parked").get(f"{short}/{one.key}")
    held = parked["events"] if parked else ()
    return any(event["sequence"] == one.sequence for event in held)


def _numbers(evidence: Evidence) -> Iterator[Finding]:
    for service in evidence.services:
        last: dict[tuple[str, str], tuple[int, str]] = {}
        for event in evidence.events(service):
            place = event["topic"], event["key"]
            number, digest = last.get(place, (0, "0" * 64))
            if event["sequence"] > number + 1 and _is_lost(evidence, service, place, number + 1):
                pass  # the operator skips it
            elif event["sequence"] != number + 1:
                yield "numbers", f"{place}: {event['sequence']} after {number}"
            elif event["previous"] != digest:
                yield "numbers", f"{place}: {event['sequence']} does not follow what is before it"
            last[place] = event["sequence"], _digest(event)


def _is_lost(evidence: Evidence, service: str, place: tuple[str, str], number: int) -> bool:
    """Whether this event was lost with the database of its publisher, before it was ever sent."""
    sent = any((one.topic, one.key, one.sequence) == (*place, number) for one in evidence.records)
    return service in evidence.restored and not sent


def _digest(event: Document) -> str:
    names = ("previous", "topic", "key", "sequence", "id", "type", "time")
    head = "\n".join(str(event[name]) for name in names)
    return hashlib.sha256(head.encode() + b"\n" + event["value"]).hexdigest()


def _effects(evidence: Evidence, history: Sequence[Document]) -> Iterator[Finding]:
    done: dict[str, int] = {}
    for op in _all_ops(evidence):
        done[op] = done.get(op, 0) + 1
    for entry in history:
        if entry["kind"] in _EFFECTS:
            count = done.pop(entry["op"] + _EFFECTS[entry["kind"]], 0)
            allowed = {"ok": (1,), "refused": (0,), "unknown": (0, 1)}[entry["outcome"]]
            if count not in allowed:
                said = f"{entry['kind']} {entry['op']} was {entry['outcome']}"
                yield "effect", f"{said} and took effect {count} times"
    for op in done:
        yield "effect", f"{op} took effect, and nobody asked for it"


_EFFECTS = {"entry": "", "seat": "-seat", "claim": ""}


def _all_ops(evidence: Evidence) -> Iterator[str]:
    for account in evidence.documents("shop", "accounts").values():
        yield from account["ops"]
    for side in evidence.documents("shop", "sides").values():
        yield from side["taken"]


def _subscribers(evidence: Evidence) -> Iterator[Finding]:
    accounts = _logs(evidence, "shop", "accounts")
    mirrors = {
        id_: kept
        for id_, ops in accounts.items()
        if (kept := [op for op in ops if not op.endswith("-x")])
    }
    halls: dict[str, list[str]] = {}
    for event, kind in _room_events(evidence):
        if kind in ("taken", "kept", "lost"):
            halls.setdefault(event["key"], []).append(f"{kind}:{_field(event, 'op')}")
    lines = {f"{id_}-made": ops for id_, ops in accounts.items()}
    lines |= {f"{id_}-noted": ops for id_, ops in mirrors.items()}
    yield from _same("subscribers", "desk mirrors", _logs(evidence, "desk", "mirrors"), mirrors)
    yield from _same("subscribers", "desk halls", _logs(evidence, "desk", "halls"), halls)
    if "desk" in evidence.restored:
        wanted = {id_: sorted(ops) for id_, ops in mirrors.items()}
        echoes = {id_: sorted({*ops}) for id_, ops in _logs(evidence, "shop", "echoes").items()}
        yield from _same("follow-ups", "shop echoes", echoes, wanted)
    else:
        yield from _same("follow-ups", "shop echoes", _logs(evidence, "shop", "echoes"), mirrors)
    seen = _logs(evidence, "view", "lines")
    ends = {"-made": "subscribers", "-noted": "follow-ups"}
    if "desk" in evidence.restored:  # it notes again, and says so again
        del ends["-noted"]
    for end, invariant in ends.items():
        part = {id_: ops for id_, ops in lines.items() if id_.endswith(end)}
        mine = {id_: ops for id_, ops in seen.items() if id_.endswith(end)}
        yield from _same(invariant, "view", mine, part)


def _logs(evidence: Evidence, service: str, collection: str) -> dict[str, list[str]]:
    rows = evidence.documents(service, collection)
    return {id_: list(row["ops"]) for id_, row in rows.items()}


def _same(
    invariant: str, where: str, found: Mapping[str, list[str]], wanted: Mapping[str, list[str]]
) -> Iterator[Finding]:
    for id_ in sorted(found.keys() | wanted.keys()):
        if found.get(id_) != wanted.get(id_):
            yield invariant, f"{where} {id_}: {found.get(id_)} and not {wanted.get(id_)}"


def _room_events(evidence: Evidence) -> Iterator[tuple[Document, str]]:
    for event in evidence.events("shop"):
        fact = event["type"].split(".")[2]
        if fact.startswith("seat-"):
            yield event, fact.removeprefix("seat-")


def _field(event: Document, name: str) -> str:
    return str(json.loads(event["value"])[name])


def _rooms(evidence: Evidence) -> Iterator[Finding]:
    taken: dict[str, set[str]] = {}
    ended: dict[str, int] = {}
    for event, kind in _room_events(evidence):
        room, op = taken.setdefault(event["key"], set()), _field(event, "op")
        if kind == "taken":
            room.add(op)
            ended[op] = 0
        else:
            ended[op] = ended.get(op, 0) + 1
            room.difference_update({op} if kind == "lost" else ())
        if len(room) > SEATS:
            yield "capacity", f"{event['key']}: {sorted(room)}"
    for op, times in ended.items():
        if times != 1:
            yield "deadlines", f"seat {op} was kept or lost {times} times"


def _pairs(evidence: Evidence) -> Iterator[Finding]:
    sides = evidence.documents("shop", "sides")
    taken = [id_[:-1] for id_, side in sides.items() if side["taken"]]
    for pair in {pair for pair in taken if taken.count(pair) > 1}:
        yield "skew", f"both sides of {pair} are taken"


def _replies(history: Sequence[Document]) -> Iterator[Finding]:
    for entry in history:
        if len(set(entry["answers"])) > 1:
            yield "replies", f"{entry['op']} was told {entry['answers']}"
        if set(entry["reused"]) - {422}:
            yield "replies", f"another body under the key of {entry['op']}: {entry['reused']}"
        if any(status not in (201, 404, 409) for status, _ in entry["answers"]):
            yield "replies", f"{entry['op']} was told {entry['answers']} ({entry['code']})"


def at_rest(evidence: Evidence) -> Iterator[Finding]:
    """What is still under way."""
    for service in evidence.services:
        for row in evidence.documents(service, "outbox").values():
            if "send_after" in row:
                yield "sent", f"{service}: {row['_id']} is not sent"
        for collection in ("parked", "quarantine"):
            for row in evidence.documents(service, collection).values():
                why = row.get("reason"), row.get("code"), len(row.get("events", ()))
                yield "parked", f"{service}: {collection} {row['_id']} {why}"
    yield from _positions(evidence)


_READS = (("desk", "shop"), ("view", "shop"), ("shop", "desk"), ("view", "desk"))


def _positions(evidence: Evidence) -> Iterator[Finding]:
    for reader, publisher in _READS:
        for key, stream in evidence.documents(publisher, "streams").items():
            out = stream["out"].get(publisher)
            mine = evidence.documents(reader, "streams").get(key)
            if out and (mine is None or list(mine["in"].get(publisher, ())) != list(out)):
                yield "positions", f"{reader} is not where {publisher} is with {key}"
