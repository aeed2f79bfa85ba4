"""Numbered, hash-chained streams: where each topic's events of one key stand.

One document a key holds the last number sent (`out`) and applied (`in`) per topic, with its hash.
This is what TCP does for packets: below the position is a duplicate, one above is next, more is
a gap. It grows with keys and not with events, and two consumers of one key conflict on it.
"""

from enum import Enum

from shared.chassis.envelope import GENESIS, Envelope, short
from shared.chassis.ports import Document

COLLECTION = "streams"


class Verdict(Enum):
    """What the position says of an arriving event."""

    NEXT = "next"
    DUPLICATE = "duplicate"
    GAP = "gap"
    FORK = "fork"


def fresh(key: str) -> Document:
    """The document of a key never seen before."""
    return {"_id": key, "out": {}, "in": {}, "parked": {}}


def applied(stream: Document, topic: str) -> tuple[int, str]:
    """The number and hash of the last event applied from this topic; 0 before the first."""
    sequence, digest = stream["in"].get(short(topic), (0, GENESIS))
    return sequence, digest


def judge(stream: Document, arriving: Envelope) -> Verdict:
    """Compare an event with the position. A fork has our number, or our successor, wrongly."""
    sequence, digest = applied(stream, arriving.topic)
    if arriving.sequence > sequence + 1:
        return Verdict.GAP
    if arriving.sequence == sequence + 1:
        return Verdict.NEXT if arriving.previous == digest else Verdict.FORK
    if arriving.sequence == sequence and arriving.digest != digest:
        return Verdict.FORK
    return Verdict.DUPLICATE


def advance(stream: Document, arrived: Envelope) -> Document:
    """The stream after this event was applied."""
    return place(stream, arrived.topic, arrived.sequence, arrived.digest)


def place(stream: Document, topic: str, sequence: int, digest: str) -> Document:
    """The stream with this as the last event applied of a topic."""
    return _with(stream, "in", topic, (sequence, digest))


def number(stream: Document, event: Envelope) -> tuple[Document, Envelope]:
    """Give an own event the next place of its stream."""
    sequence, digest = head(stream, event.topic)
    numbered = Envelope(*event[:3], sequence + 1, digest, *event[5:])  # a third of `_replace`
    return take_over(stream, event.topic, numbered.sequence, numbered.digest), numbered


def head(stream: Document, topic: str) -> tuple[int, str]:
    """The number and hash of the last event given to this topic; 0 before the first."""
    sequence, digest = stream["out"].get(short(topic), (0, GENESIS))
    return sequence, digest


def take_over(stream: Document, topic: str, sequence: int, digest: str) -> Document:
    """The stream whose next own event follows this one."""
    return _with(stream, "out", topic, (sequence, digest))


def park(stream: Document, topic: str) -> Document:
    """The stream with events of this topic held in `parked`."""
    return _with(stream, "parked", topic, value=True)


def release(stream: Document, topic: str) -> Document:
    """The stream with nothing held from this topic."""
    parked = {name: held for name, held in stream["parked"].items() if name != short(topic)}
    return {**stream, "parked": parked}


def is_parked(stream: Document, topic: str) -> bool:
    """Whether events of this topic wait in `parked`."""
    return short(topic) in stream["parked"]


def _with(stream: Document, part: str, topic: str, value: object) -> Document:
    return {**stream, part: {**stream[part], short(topic): value}}
