"""What should hold of one service, looked at from inside."""

from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from time import monotonic
from typing import Annotated

from fastapi import Query as Parameter
from fastapi import Request

from shared.chassis import streams
from shared.chassis.envelope import GENESIS, Envelope
from shared.chassis.http import Page, Paging, Query, Router
from shared.chassis.operations.shown import READERS
from shared.chassis.ports import Bus, Document, Place, Store
from shared.chassis.query import page_of
from shared.chassis.ranges import Range, merged
from shared.chassis.tail import events_of
from shared.model import Frozen

_EVENTS = 500

_SECONDS, _RECORDS = 3.0, 20_000
"""A stretch of a topic ends with the first of these: the gateway waits 10 s, and takes 8 MiB."""

_ONE = "[0-9]{1,5}:[0-9]{1,18}"
Offsets = Annotated[str, Parameter(max_length=2000, pattern=f"^({_ONE}(,{_ONE})*)?$")]
"""`partition:offset` of each partition to begin at, those that are not named at their start."""


class Finding(Frozen):
    """Something that does not hold: a code, and what it is about."""

    code: str
    subject: str


Check = Callable[[Store], Awaitable[list[Finding]]]
"""A service's own sums."""


class Broken(Frozen):
    """A place where an own stream does not hold together."""

    key: str
    sequence: int
    problem: str
    """`missing`, `not-linked`, or `head-differs`."""


class Chains(Page[Broken]):
    """Some of the own streams: how many were looked at, and what is broken."""

    checked: int


class Stretch(Frozen):
    """A stretch of the own topic: what was read, and where the next one begins."""

    records: int
    numbers: dict[str, list[Range]]
    """By key the numbers that stand in this stretch, as (first, last)."""
    offsets: str
    """To be asked for next; it begins where this stretch ended."""
    at_end: bool
    """Whether all was read that stood there when this stretch began."""


def add(router: Router, prefix: str, check: Check | None) -> None:
    """Register the checks."""

    @router.get(f"{prefix}/chains", policy=READERS)
    async def check_chains(request: Request, query: Query, paging: Paging) -> Chains:
        found = await query.store.page(
            streams.COLLECTION, {}, sort="_id", after=paging.after, limit=paging.limit + 1
        )
        page, more = page_of(found, paging.limit)
        topic = request.app.state.runtime.topic
        broken = [one for stream in page for one in await _chain(query.store, topic, stream)]
        return Chains(items=broken, next=more, checked=len(page))

    @router.get(f"{prefix}/topic", policy=READERS)
    async def read_topic(request: Request, offsets: Offsets = "") -> Stretch:
        runtime = request.app.state.runtime
        return await _stretch(runtime.bus, runtime.topic, _parsed(runtime.topic, offsets))

    @router.get(f"{prefix}/checks", policy=READERS)
    async def check_sums(query: Query) -> list[Finding]:
        return await check(query.store) if check else []


async def _chain(store: Store, topic: str, stream: Document) -> list[Broken]:
    """Each event of the outbox must follow the one before, up to the head."""
    key, (head, digest) = stream["_id"], streams.head(stream, topic)
    sequence, before = 0, GENESIS
    while sequence < head:
        found = await store.resend(topic, key, sequence + 1, head, _EVENTS)
        for event in map(Envelope.from_document, found):
            if event.sequence != sequence + 1:
                return [Broken(key=key, sequence=sequence + 1, problem="missing")]
            if event.previous != before:
                return [Broken(key=key, sequence=event.sequence, problem="not-linked")]
            sequence, before = event.sequence, event.digest
        if not found:
            return [Broken(key=key, sequence=sequence + 1, problem="missing")]
    return [] if before == digest else [Broken(key=key, sequence=head, problem="head-differs")]


async def _stretch(bus: Bus, topic: str, starts: dict[Place, int]) -> Stretch:
    """As much as fits into an answer. What is known of the whole is added up by who asks."""
    until = monotonic() + _SECONDS
    records, at_end, numbers = 0, True, defaultdict[str, set[Range]](set)
    async with aclosing(bus.scan(topic, starts)) as scan:
        async for found in scan:
            taken = found[: _RECORDS - records]
            records += len(taken)
            starts |= {(one.topic, one.partition): one.offset + 1 for one in taken}
            for _, event in events_of(taken):
                numbers[event.key].add((event.sequence, event.sequence))
            if records >= _RECORDS or monotonic() > until:
                at_end = False
                break
    return Stretch(
        records=records,
        numbers={key: merged(seen) for key, seen in numbers.items()},
        offsets=",".join(f"{place[1]}:{offset}" for place, offset in sorted(starts.items())),
        at_end=at_end,
    )


def _parsed(topic: str, offsets: str) -> dict[Place, int]:
    places = (one.split(":") for one in offsets.split(",") if one)
    return {(topic, int(partition)): int(offset) for partition, offset in places}
