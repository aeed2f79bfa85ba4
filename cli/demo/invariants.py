"""What must be true when a programme has come to rest, read through the operator's API."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from cli.contracts import subscribers
from cli.demo.client import Client, Stuck, Who, until
from cli.operator.topics import Kept

OPERATOR = Who("operator-1", ("operator",))

SUBSCRIBERS = subscribers()
"""Who must have applied what each service published; more may have."""

SERVICES = (*SUBSCRIBERS, "gateway")
_PATIENCE = 90.0


@dataclass(frozen=True)
class Check:
    """One invariant, whether it holds, and the numbers that say so."""

    name: str
    holds: bool
    found: str


@dataclass
class Operations:
    """All services as their operator sees them at one moment."""

    services: dict[str, Any] = field(default_factory=dict)

    @classmethod
    async def read(cls, client: Client) -> "Operations":
        """Ask every service."""
        paths = [f"/operations/{name}" for name in SERVICES]
        found = await asyncio.gather(*(client.read(OPERATOR, path) for path in paths))
        return cls(dict(zip(SERVICES, found, strict=True)))

    def published(self, topic: str) -> int:
        """The sum of the numbers that the publisher gave."""
        return int(self.services[topic]["published"].get(topic, 0))

    def applied(self, topic: str) -> dict[str, int]:
        """The sum applied, by subscriber."""
        return {
            name: int(one["applied"].get(topic, 0))
            for name, one in self.services.items()
            if name in SUBSCRIBERS[topic] or one["applied"].get(topic)
        }

    def waiting(self, *kinds: str) -> dict[str, int]:
        """What of these kinds waits, by service; nothing where nothing does."""
        sums = {name: sum(one["backlog"][k] for k in kinds) for name, one in self.services.items()}
        return {name: number for name, number in sums.items() if number}

    def is_at_rest(self) -> bool:
        """Whether all that was published was applied everywhere, and nothing waits."""
        if self.waiting("outbox", "gap", "failed"):
            return False
        return all(
            set(self.applied(topic).values()) == {self.published(topic)} for topic in SUBSCRIBERS
        )


async def at_rest(client: Client) -> Operations:
    """Wait until nothing moves any more; past the deadline, things as they are."""

    async def look() -> Operations | None:
        now = await Operations.read(client)
        return now if now.is_at_rest() else None

    try:
        return await until(look, "all effects", _PATIENCE)
    except Stuck:
        return await Operations.read(client)  # the checks say what is wrong


async def in_kafka(client: Client) -> dict[str, int]:
    """How many distinct events stand in each topic, which its publisher reads whole for that."""
    found = await asyncio.gather(*(_distinct(client, name) for name in SUBSCRIBERS))
    return dict(zip(SUBSCRIBERS, found, strict=True))


async def _distinct(client: Client, name: str) -> int:
    kept, path = Kept(), f"/operations/{name}/topic"
    while not kept.add(await client.read(OPERATOR, path, offsets=kept.offsets or None)):
        pass
    return kept.distinct()


def of_streams(now: Operations, there: dict[str, int]) -> list[Check]:
    """Nothing lost, nothing doubled, nothing left behind; `there` is what Kafka holds."""
    parked = now.waiting("gap", "failed", "dead", "fork", "quarantined", "deadlines")
    outbox = now.waiting("outbox")
    checks = [
        Check("nothing parked or quarantined", not parked, _each(parked) or "0 everywhere"),
        Check("every outbox sent", not outbox, _each(outbox) or "0 everywhere"),
    ]
    for topic in SUBSCRIBERS:
        given, kept = now.published(topic), there[topic]
        applied = now.applied(topic)
        holds = given > 0 and {given, kept, *applied.values()} == {given}
        same = set(applied.values()) == {given}
        by = f"{given} applied by {', '.join(sorted(applied))}" if same else _each(applied)
        found = f"{given} published = {kept} in Kafka = {by}"
        checks.append(Check(f"topic telar.{topic}", holds, found))
    return checks


def of_pools(pools: list[Any], given: dict[str, int]) -> Check:
    """What a pool was given is in its four buckets, and none is below zero."""
    wrong = [pool["id"] for pool in pools if not _adds_up(pool, given)]
    missing = set(given) - {pool["id"] for pool in pools}
    found = f"{len(pools)} pools, {len(wrong)} wrong" if wrong else f"{len(pools)} add up"
    return Check("pools add up, nothing negative", not (wrong or missing), found)


def _adds_up(pool: Any, given: dict[str, int]) -> bool:
    buckets = list(pool["balances"].values())
    whole = given.get(pool["id"], pool["total"])
    return min(buckets) >= 0 and sum(buckets) == pool["total"] == whole


def of_places(name: str, taken: dict[str, tuple[int, int]]) -> Check:
    """No more taken than there are, by id: (taken, capacity)."""
    over = [one for one, (used, capacity) in taken.items() if used > capacity]
    found = ", ".join(f"{used} of {capacity}" for used, capacity in taken.values())
    return Check(name, bool(taken) and not over, found)


def of_certificates(certificates: list[Any]) -> Check:
    """One a woman and course."""
    each = Counter((one["person_id"], one["course_id"]) for one in certificates)
    ids = {one["id"] for one in certificates}
    holds = len(ids) == len(each) == len(certificates)
    return Check("certificates unique", holds, f"{len(certificates)} certificates, {len(ids)} ids")


def _each(numbers: dict[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(numbers.items()))
