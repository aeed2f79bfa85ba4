"""Publishing: at once after the commit, and again by whoever finds that it was not acknowledged.

The outbox is the log: one document a commit, its events as the bytes that are sent. Only its
`send_after` ever changes, and it is unset once Kafka acknowledged and where that was is noted, so
that nothing can be lost there unseen. There is no leader and no lock: duplicates and inversions
are harmless to numbered streams.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

import structlog

from shared.chassis import metrics
from shared.chassis.clock import Clock
from shared.chassis.ends import Ends
from shared.chassis.envelope import Envelope, encode
from shared.chassis.ids import new_id
from shared.chassis.ports import (
    Bus,
    BusError,
    Document,
    Instant,
    Outgoing,
    Place,
    Producer,
    Store,
    StoreError,
)
from shared.chassis.turns import in_turns

COLLECTION = "outbox"

GRACE = timedelta(seconds=5)
"""A commit's own process has so long to send; then everybody may."""

CLAIM, AGAIN = timedelta(seconds=30), timedelta(seconds=2)
"""Who found it past that has so long; if he learns that it cannot be sent, it is due again soon."""

SEND_DEADLINE = 10.0
WAITING = 20_000
"""Events held in memory for sending; the commits beyond are found by the sweep."""

AT_ONCE = 5000
"""Events sent at a time, within the deadline: a commit more than fill it."""

MARK_EVERY = 0.1
"""Seconds between two marks of what was acknowledged: one for many batches."""

MEASURE_EVERY = 1.0
"""Seconds between two looks at how much waits, while some of it is sent."""

SWEPT = 20
"""Commits that a sweep takes at a time: as many as may be full."""

_FIRST, _MOST, _EVENTS = 5, 50, 2_000
"""Commits of the first page and of any, and how many events one is meant to hold."""

log = structlog.get_logger("telar.outbox")


async def since(
    store: Store, after: str, shown: Sequence[str] = ()
) -> AsyncIterator[list[Document]]:
    """The commits after this id, page by page, each as large as the one before it lets expect.

    A commit has one event or 500: two hundred full ones at once took 160 MiB. With `shown` these
    fields alone, a field of `events` among them.
    """
    most, rest = _FIRST, partial(store.page, COLLECTION, {}, sort="_id", shown=shown)
    while page := await rest(after=(after, after), limit=most):
        yield page
        after = page[-1]["_id"]
        events = sum(len(commit["events"]) for commit in page)
        most = max(1, min(_MOST, _EVENTS * len(page) // max(1, events)))


def outbox_document(published: Sequence[Envelope], at: datetime) -> Document | None:
    """The outbox document of one commit, or None if nothing is published."""
    if not published:
        return None
    return {
        "_id": new_id(at),
        "at": at,
        "send_after": at + GRACE,
        "events": [event.to_document() for event in published],
    }


Commit = tuple[str, datetime, list[Envelope]]
"""The id of a commit, its time and its events."""


class Publisher:
    """Sends what this process committed, and sweeps up what nobody's process sent."""

    def __init__(self, store: Store, bus: Bus, clock: Clock) -> None:
        self.store, self.bus, self.clock = store, bus, clock
        self._waiting: deque[Commit] = deque()
        self._held = 0
        self._measured = 0.0
        self._bell = asyncio.Event()
        self._producer: Producer | None = None
        self._sending = asyncio.Lock()
        self._sent: list[str] = []
        self._marking: asyncio.Task[None] | None = None
        self._stopping = False
        self.ends = Ends(store)
        self._acknowledged: dict[Place, int] = {}

    def offer(self, document: Document, events: list[Envelope]) -> None:
        """A commit was acknowledged: send its events soon."""
        if self._held < WAITING:
            self._held += len(events)
            self._waiting.append((document["_id"], document["at"], list(events)))
            self._bell.set()

    async def run(self) -> None:
        """Send batch after batch until `stop`, and then what still waits."""
        while self._waiting or not self._stopping:
            if not self._waiting:
                self._bell.clear()
                await self._bell.wait()
                continue
            await self._deliver(self._next())
        await self._marked()

    def _next(self) -> list[Commit]:
        batch, events = [self._waiting.popleft()], 0
        while (events := events + len(batch[-1][2])) < AT_ONCE and self._waiting:
            batch.append(self._waiting.popleft())
        self._held -= events
        return batch

    def stop(self) -> None:
        """Send what waits, then return from `run`."""
        self._stopping = True
        self._bell.set()

    async def send(self, events: Sequence[Envelope]) -> None:
        """Send these now, in order; `BusError` if not all were acknowledged."""
        records: list[Outgoing] = []
        async for some in in_turns(events):
            records += map(encode, some)
        async with self._sending:
            known = self.ends.known
            sent = await self._send(records)
            await self.ends.acknowledged(sent, known)
        for place, one in sent.items():
            self._acknowledged[place] = max(one.stop, self._acknowledged.get(place, 0))
        for event_type, count in Counter(event.type for event in events).items():
            metrics.PUBLISHED.labels(event_type).inc(count)

    async def say(self, record: Outgoing) -> None:
        """Send what is no event."""
        async with self._sending:
            await self._send([record])

    async def _send(self, records: Sequence[Outgoing]) -> dict[Place, range]:
        if self._producer is None:
            self._producer = await self.bus.producer()
        return await self._producer.send(records, SEND_DEADLINE)

    async def close(self, deadline: float) -> None:
        """Let the producer go."""
        if self._producer is not None:
            await self._producer.close(deadline)

    async def _deliver(self, batch: list[Commit]) -> bool:
        try:
            await self.send([event for _, _, events in batch for event in events])
        except BusError as error:
            metrics.PUBLISH_FAILURES.inc()
            log.warning("publish.failed", commits=len(batch), error=str(error))
            return False
        acknowledged = self.clock.now().timestamp()
        for _, at, _ in batch:
            metrics.PUBLISH_SECONDS.observe(max(0.0, acknowledged - at.timestamp()))
        self._sent += [doc_id for doc_id, _, _ in batch]
        if self._marking is None or self._marking.done():
            self._marking = asyncio.create_task(self._mark())
        return True

    async def _mark(self) -> None:
        """Mark what was acknowledged, beside the sending: what comes meanwhile goes with the next.

        Nobody sends it again before its `send_after`, and if somebody does it is harmless.
        """
        while self._sent:
            if not self._stopping:
                await asyncio.sleep(MARK_EVERY)
            sent, ends = self._sent.copy(), self._acknowledged.copy()
            self._sent.clear()
            self._acknowledged.clear()
            try:
                await self.ends.note(ends)
                await self.store.clear(COLLECTION, sent, "send_after")
            except StoreError:
                log.warning("publish.unmarked", commits=len(sent))

    async def _marked(self) -> None:
        if self._marking is not None:
            await self._marking

    async def sweep(self) -> int:
        """Send once what is past its `send_after`; how many were, or 0 if not all could be sent.

        Also those that somebody else was quicker to claim: a full page says that more may wait.
        Not those that the store did not answer for: who asked at once again would ask without end.
        """
        found = await self.store.before(COLLECTION, "send_after", self.clock.now(), SWEPT)
        until, claimed, asked = self.clock.now() + CLAIM, list[Commit](), 0
        with suppress(StoreError):  # what was claimed before would wait for its claim to end
            for one in found:
                if await self._move(one["_id"], one["send_after"], until):
                    events = [Envelope.from_document(event) for event in one["events"]]
                    claimed.append((one["_id"], one["at"], events))
                asked += 1
        left = await self._unsent(claimed)
        with suppress(StoreError):  # the rest waits for its claim to end
            for doc_id, _, _ in left:
                await self._move(doc_id, until, self.clock.now() + AGAIN)
        return 0 if left else asked

    async def _move(self, doc_id: str, was: datetime, to: datetime) -> bool:
        return await self.store.move(Instant(COLLECTION, doc_id, "send_after"), was, to)

    async def _unsent(self, claimed: list[Commit]) -> list[Commit]:
        """Those that could not be sent: together, or each by itself if Kafka is there.

        What it refuses, for its size perhaps, would else hold up what it happens to be found with.
        """
        if not claimed or await self._deliver(claimed):
            return []
        try:
            await self.bus.ping()
        except BusError:
            return claimed
        until = time.monotonic() + SEND_DEADLINE
        return [
            one for one in claimed if time.monotonic() > until or not await self._deliver([one])
        ]

    async def run_sweep(self, every: float = 0.5) -> None:
        """Sweep for ever; an outage of the store or the bus is only a reason to come back."""
        while True:
            await asyncio.sleep(every)
            try:
                more = True
                while more:
                    more = await self.sweep() == SWEPT
                    # Also where nothing can be sent; and seldom, while a backlog is on its way.
                    if not more or time.monotonic() > self._measured + MEASURE_EVERY:
                        await self._measure()
            except StoreError:
                continue

    async def _measure(self) -> None:
        metrics.OUTBOX_PENDING.set(await self.store.count(COLLECTION, {}, "send_after"))
        # Not by `send_after`: each sweep moves that, so the lowest says nothing of the age.
        oldest = await self.store.oldest(COLLECTION, "at", "send_after")
        age = (self.clock.now() - oldest).total_seconds() if oldest else 0.0
        metrics.OUTBOX_AGE.set(age)
        self.backlog_seconds = age
        self._measured = time.monotonic()

    backlog_seconds: float = 0.0

    @property
    def overdue(self) -> bool:
        """Whether so much waits for Kafka that no more commands should be taken."""
        return self.backlog_seconds > 600
