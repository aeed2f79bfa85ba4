"""What should hold of one service, looked at from inside."""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi import Request

from shared.chassis import streams
from shared.chassis.envelope import GENESIS, Envelope
from shared.chassis.http import Page, Paging, Query, Router
from shared.chassis.operations.shown import READERS
from shared.chassis.ports import Document, Store
from shared.chassis.query import page_of
from shared.chassis.tail import events_of
from shared.model import Frozen

_EVENTS, _SHOWN = 500, 100


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


class Difference(Frozen):
    """A key whose head differs from what stands in Kafka."""

    key: str
    head: int
    in_kafka: int
    lacks: int | None = None
    """The first number that Kafka does not hold: later ones may stand there."""


class Topic(Frozen):
    """The whole own topic against the heads."""

    records: int
    distinct: int
    missing: list[Difference]
    """Kafka lacks events of these (the first hundred)."""
    ahead: list[Difference]
    """Kafka knows more of these than the outbox."""


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
    async def check_topic(request: Request, query: Query) -> Topic:
        runtime = request.app.state.runtime
        records, numbers = 0, defaultdict[str, set[int]](set)
        async for batch in runtime.bus.scan(runtime.topic):
            records += len(batch)
            for _, event in events_of(batch):
                numbers[event.key].add(event.sequence)
        distinct = sum(map(len, numbers.values()))
        differences = [one async for one in _differences(query.store, runtime.topic, numbers)]
        return Topic(
            records=records,
            distinct=distinct,
            missing=[one for one in differences if one.in_kafka < one.head][:_SHOWN],
            ahead=[one for one in differences if one.in_kafka > one.head][:_SHOWN],
        )

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


async def _differences(
    store: Store, topic: str, numbers: dict[str, set[int]]
) -> AsyncIterator[Difference]:
    """Keys of which Kafka does not hold exactly the numbers from 1 to the head."""
    after: tuple[str, str] | None = None
    while page := await store.page(streams.COLLECTION, {}, sort="_id", after=after, limit=_EVENTS):
        after = page[-1]["_id"], page[-1]["_id"]
        for stream in page:
            head, _ = streams.head(stream, topic)
            there = numbers.pop(stream["_id"], set())
            if there != set(range(1, head + 1)):
                known = max(there) if there and max(there) > head else len(there)
                lacks = next((one for one in range(1, head + 1) if one not in there), None)
                yield Difference(key=stream["_id"], head=head, in_kafka=known, lacks=lacks)
    for key, there in numbers.items():
        yield Difference(key=key, head=0, in_kafka=max(there))
