"""A platform in memory, as the checker of fault runs reads one: a test may falsify all of it."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.faults.checker.outside import (
    EVERYBODY,
    GENESIS,
    PUBLISHERS,
    SUBSCRIBERS,
    Document,
    Fact,
    Outside,
    Room,
    Stored,
)

ANA = {"person_id": "ana"}
SEAT = {**ANA, "seat_id": "ana:cohort", "cohort_id": "cohort"}
COURSE = {**ANA, "course_id": "course"}


@dataclass(frozen=True)
class Said:
    """One event: who says what of which key, because of which command, in which commit."""

    service: str
    name: str
    key: str
    because: str
    body: dict[str, Any] = field(default_factory=dict)
    commit: str = ""


RIGHT = (
    Said("enrollment", "person-registered", "ana", "op-1", ANA),
    Said(
        *("enrollment", "applicant-enrolled", "ana", "op-2"),
        {**ANA, "enrolment_id": "ana:call", "call_id": "call"},
    ),
    Said("training", "cohort-opened", "cohort", "op-3", {"cohort_id": "cohort"}),
    Said("training", "seat-confirmed", "ana", "op-4", SEAT),
    Said("training", "course-completed", "ana", "op-5", {**SEAT, **COURSE}, "complete"),
    Said("training", "certificate-issued", "ana", "op-5", COURSE, "complete"),
    Said("grants", "pool-opened", "pool", "op-6", {"pool_id": "pool", "amount": 100}),
    Said("trade", "fair-published", "fair", "op-7", {"fair_id": "fair"}),
)
"""One woman, all the way to her certificate."""


class Platform(Outside):
    """What `said` leaves behind when everything is right; all of it may be changed."""

    def __init__(self, *said: Said) -> None:
        self.facts = _facts(said)
        self.topics = {
            name: [Stored(0, offset, {}, fact) for offset, fact in enumerate(facts)]
            for name, facts in self.facts.items()
        }
        self.topics["control"] = list[Stored]()
        self.history = [_op(one) for one in {one.because: one for one in said}.values()]
        self.history.append({**_op(Said("grants", "", "", "op-8")), "outcome": "refused"})
        self.held = {name: {"streams": self._streams(name)} for name in EVERYBODY}
        self.told = {name: self._read(name) for name in EVERYBODY}
        for name, places in self.told.items():
            rows = [{"_id": f"{topic}/{n}", "next": at} for (topic, n), at in places.items()]
            self.held[name]["offsets"] = rows
        self._fill()

    def _read(self, reader: str) -> dict[tuple[str, int], int]:
        mine = [name for name in PUBLISHERS if reader in SUBSCRIBERS[name]]
        return {(f"telar.{name}", 0): len(self.topics[name]) for name in mine}

    def _streams(self, service: str) -> list[Document]:
        found: dict[str, Document] = {}
        for publisher, facts in self.facts.items():
            part = "out" if service == publisher else "in"
            if service in (publisher, *SUBSCRIBERS[publisher]):
                for fact in facts:
                    row = found.setdefault(fact.key, {"_id": fact.key, "in": {}, "out": {}})
                    row[part][publisher] = [fact.sequence, fact.digest]
        return list(found.values())

    def _fill(self) -> None:
        """Views and states of the one woman, as of `RIGHT`."""
        hers = {"_id": "ana", "enrolments": ["ana:call"], "certified": ["course"]}
        money = {"available": 100, "reserved": 0, "committed": 0, "disbursed": 0}
        seat = {"_id": "ana:cohort", "cohort_id": "cohort", "status": "completed"}
        self.held["training"] |= {
            "dossiers": [dict(hers)],
            "cohorts": [{"_id": "cohort", "capacity": 1}],
            "seats": [seat],
        }
        self.held["grants"] |= {
            "dossiers": [dict(hers)],
            "pools": [{"_id": "pool", "balances": money, "waiting": []}],
            "awards": [],
        }
        self.held["trade"] |= {"readiness": [dict(hers)], "fairs": [{"_id": "fair", "places": 1}]}
        kinds = {"person-registered": "registered", "applicant-enrolled": "enrolled"}
        kinds |= {"seat-confirmed": "seats_confirmed", "course-completed": "courses_completed"}
        kinds |= {"certificate-issued": "certificates_issued"}
        every = [(name, one) for name, facts in self.facts.items() for one in facts]
        of_her = [(name, one.sequence) for name, one in every if one.key == "ana"]
        self.held["gateway"] |= {
            "timeline": [{"_id": f"ana/{name}/{number:012d}"} for name, number in of_her],
            "counters": [
                {"counts": dict(Counter(kinds[one.name] for _, one in every if one.name in kinds))}
            ],
        }

    # -- what the checker reads ------------------------------------------------------------

    def there(self) -> set[str]:
        return set(self.held)

    def all(self, service: str, collection: str, **_fields: int) -> list[Document]:
        return self.held[service].get(collection, [])

    def count(self, service: str, collection: str, having: str | None = None) -> int:
        rows = self.all(service, collection)
        return sum(having is None or having in one for one in rows)

    def outbox(self, service: str) -> Iterator[Fact]:
        return iter(self.facts[service])

    def pools_and_awards(self, pool: str = "") -> tuple[list[Document], list[Document]]:
        assert not pool, "there is only one"
        return self.all("grants", "pools"), self.all("grants", "awards")

    def taken(self, room: Room) -> tuple[dict[str, int], dict[str, int]]:
        sizes = {one["_id"]: one[room.size] for one in self.all(room.service, room.groups)}
        things = self.all(room.service, room.things)
        return sizes, Counter(one[room.of] for one in things if one["status"] in room.states)

    async def topic(self, topic: str) -> list[Stored]:
        return self.topics[topic.partition(".")[2]]

    def at_once(self, service: str, *names: str, **wanted: Document) -> list[list[Document]]:
        assert not wanted, "everything is looked at"
        return [self.all(service, name) for name in names]

    async def committed(self, group: str) -> dict[tuple[str, int], int]:
        return self.told[group]


def _facts(said: tuple[Said, ...]) -> dict[str, list[Fact]]:
    found: dict[str, list[Fact]] = {name: [] for name in PUBLISHERS}
    for number, one in enumerate(said):
        before = [fact for fact in found[one.service] if fact.key == one.key]
        found[one.service].append(
            Fact(
                key=one.key,
                sequence=len(before) + 1,
                previous=before[-1].digest if before else GENESIS,
                digest=f"hash-{number}",
                type=f"telar.{one.service}.{one.name}.v1",
                correlation=one.because,
                value=json.dumps(one.body).encode(),
                commit=one.commit or f"commit-{number}",
            )
        )
    return found


def _op(said: Said) -> Document:
    tries = [{"status": 201, "code": "", "reply": "the same"} for _ in "12"]
    facts = {"pool": said.key, "amount": said.body["amount"]} if "amount" in said.body else {}
    return {
        "key": said.because,
        "service": said.service,
        "name": said.name,
        "publishes": True,
        "facts": facts,
        "outcome": "ok",
        "tries": tries,
    }
