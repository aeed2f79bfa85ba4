"""What a run left behind, read once: databases, topics, offsets, and the clients' history."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.checker.outside import (
    PUBLISHERS,
    SUBSCRIBERS,
    Document,
    Fact,
    Outside,
    Stored,
    place_of,
)


@dataclass(frozen=True)
class Photo:
    """How far a service had read and what it had applied, at one instant of a run."""

    service: str
    offsets: Mapping[tuple[str, int], int]
    applied: Mapping[tuple[str, str], int]
    parked: frozenset[str]
    told: Mapping[tuple[str, int], int] = field(default_factory=dict)
    """The offsets that its group had noted in Kafka just before."""


@dataclass
class Expected:
    """What a run leaves behind on purpose."""

    parked: set[tuple[str, str]] = field(default_factory=set)
    """(service, topic/key) that were poisoned and not released."""
    quarantined: Mapping[str, int] = field(default_factory=dict)
    strangers: int = 0
    """Records in the topics that no publisher sent."""
    cut: bool = False
    """Kafka lost records: offsets may stand past its end."""
    photos: list[Photo] = field(default_factory=list)


@dataclass
class State:
    """Everything there is to judge, read once."""

    outside: Outside
    history: list[Document]
    facts: dict[str, list[Fact]]
    topics: dict[str, list[Stored]]
    streams: dict[str, dict[str, Document]]
    offsets: dict[str, dict[tuple[str, int], int]] = field(default_factory=dict)

    @property
    def services(self) -> set[str]:
        return set(self.streams)

    def readers(self, publisher: str) -> list[str]:
        return [one for one in SUBSCRIBERS[publisher] if one in self.services]


async def photograph(outside: Outside, service: str) -> Photo:
    """What a service has stored now, in one snapshot, and what it had told Kafka until then.

    Kafka is asked first: what is told once more was applied by then, and the snapshot has it.
    """
    told = await outside.committed(service)
    offsets, streams, parked = await asyncio.to_thread(
        outside.at_once, service, "offsets", "streams", "parked"
    )
    return Photo(
        service,
        {place_of(one["_id"]): int(one["next"]) for one in offsets},
        {
            (topic, one["_id"]): int(place[0])
            for one in streams
            for topic, place in one["in"].items()
        },
        frozenset(str(one["_id"]) for one in parked),
        told,
    )


def read_history(path: Path) -> list[Document]:
    """The lines of a history file."""
    with path.open() as file:
        return [json.loads(line) for line in file]


async def read(outside: Outside, history: list[Document]) -> State:
    """Read the databases and the topics."""
    there = sorted(outside.there())
    publishers = [name for name in PUBLISHERS if name in there]
    facts = {name: list(outside.outbox(name)) for name in publishers}
    streams = {name: {one["_id"]: one for one in outside.all(name, "streams")} for name in there}
    # Before the topics: of these, telar.control never rests.
    offsets = {name: await outside.committed(name) for name in there}
    topics = {name: await outside.topic(f"telar.{name}") for name in (*publishers, "control")}
    return State(outside, history, facts, topics, streams, offsets)
