"""A handler that was added later runs over what it has missed: each event once, beside the rest.

Positions do not move: the events were applied, only without this handler. Which of a key's events
were made up for is kept in `filled`, in the transaction of their effects. Of copies of an event the
first one counts: what stands before a stretch that was missed is not missed in it. While an older
release still reads a partition, it is not known yet what that one lets go by: the job waits. What
was missed in a topic that was made anew since is not known any more: it fails, and is not guessed.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import structlog

from shared.chassis import filled, streams
from shared.chassis.audit import Asked, Order
from shared.chassis.batch import Ref
from shared.chassis.clock import NEVER, Clock
from shared.chassis.envelope import Envelope, topic_of
from shared.chassis.errors import Problem, Unavailable
from shared.chassis.fold import Scope, stream_at, stream_ref
from shared.chassis.handled import Handled, Stretch
from shared.chassis.parking import code_of
from shared.chassis.ports import (
    Bus,
    BusError,
    Document,
    Instant,
    Place,
    Record,
    Store,
    StoreError,
    place_id,
)
from shared.chassis.ranges import Range, is_within, merged
from shared.chassis.replies import Stored
from shared.chassis.tail import events_of
from shared.chassis.work import Application, Work, caused_by
from shared.chassis.writer import Writer
from shared.model import Context, Frozen, Refused, Unknown

COLLECTION = "backfills"
CLAIM = timedelta(seconds=60)
FAILURES_KEPT = 100
ANEW = "backfill-topic-anew"
"""The code of a failure that is a whole stretch: `key` names its partition, `sequence` its end."""

log = structlog.get_logger("telar.backfill")


class Failure(Frozen):
    """An event over which the handler failed: it is left out, and named."""

    key: str
    sequence: int
    code: str


class Backfill(Frozen):
    """One type's backfill: how many events were read, made up for, and failed."""

    type: str
    state: Literal["waiting", "running", "done"]
    """It waits while an older release still reads a partition of the topic."""
    events: int
    applied: int
    failures: list[Failure]

    @classmethod
    def of(cls, job: Document) -> "Backfill":
        """As it is shown."""
        shown = {name: job[name] for name in cls.model_fields if name != "type"}
        return cls.model_validate({"type": job["_id"], **shown})


class Fill(Work):
    """One event that was applied without its handler."""

    def __init__(self, context: Context, arrived: Envelope) -> None:
        super().__init__(context)
        self.arrived = arrived

    def wanted(self) -> Sequence[Ref]:
        """The position of the key, and what of it was made up for."""
        return [stream_ref(self.arrived.key), filled.filled_ref(self.arrived)]

    def fold(self, scope: Scope) -> bool:
        """Apply it unless that was done, or is still to come by itself."""
        arrived = self.arrived
        position, _ = streams.applied(stream_at(scope, stream_ref(arrived.key)), arrived.topic)
        if arrived.sequence > position or filled.is_filled(scope, arrived):
            return False
        Application(arrived, scope.batch.handlers, -1, self.context).act(scope)
        filled.note(scope, arrived)
        return True


class Begin(Order):
    """An operator orders a backfill, audited with the reason."""

    def __init__(self, asked: Asked, event_type: str, handled: Handled) -> None:
        super().__init__(asked)
        self.type, self.handled = event_type, handled
        self._job = Ref(COLLECTION, event_type)

    def wanted(self) -> Sequence[Ref]:
        """The job that may run already."""
        return [*super().wanted(), self._job]

    def act(self, scope: Scope) -> Stored:
        """Let a process take it."""
        if self.type not in self.handled.types:
            raise Unknown("backfill-type-unhandled")
        if (there := scope.read(self._job)) and there["state"] != "done":
            raise Refused("backfill-running")
        none: Document = {"events": 0, "applied": 0, "failures": []}
        job = {"_id": self.type, "state": "waiting", "due": self.context.at, **none}
        scope.put(self._job, job)
        self.asked.note(scope, self.type, "waiting")
        return Stored(200, Backfill.of(job).model_dump_json().encode())


class Backfills:
    """Runs what was ordered; another process takes over where one died."""

    def __init__(
        self, store: Store, bus: Bus, clock: Clock, writer: Writer, handled: Handled
    ) -> None:
        self.store, self.bus, self.clock = store, bus, clock
        self.writer, self.handled = writer, handled

    async def run(self, every: float = 1.0) -> None:
        """Look now and then for something to do."""
        while True:
            await asyncio.sleep(every)
            try:
                await self.handled.mark(self.bus)
                await self.look()
            except (StoreError, BusError, Problem) as error:
                log.warning("backfill.waits", error=type(error).__name__)

    async def look(self) -> None:
        """Take up what waits, but in an older release: that would do nothing and call it done."""
        for job in await self.store.before(COLLECTION, "due", self.clock.now(), 10):
            if job["_id"] not in self.handled.types:
                continue
            places = list(await self.bus.ends(topic_of(job["_id"])))
            if await self.handled.everywhere(job["_id"], places):
                await self._take(job, places)

    async def _take(self, job: Document, places: list[Place]) -> None:
        place = Instant(COLLECTION, job["_id"], "due")
        claimed = self.clock.now() + CLAIM
        if not await self.store.move(place, job["due"], claimed, {"state": "running"}):
            return
        await self.handled.mark(self.bus, places)
        missed = await self.handled.missed(job["_id"], places)
        for partition, stretches in missed.items():
            for stretch in stretches:
                if await self.handled.is_elsewhere(self.bus, partition, stretch):
                    job = _lost(job, partition, stretch)
                    continue
                job, claimed = await self._fill({**job, "failed": 0}, partition, stretch, claimed)
                if not job["failed"]:  # else it stays: the next order reads it again
                    await self.handled.made_up(job["_id"], partition, stretch)
        await self._move(job, claimed, NEVER, "done")
        failures = len(job["failures"])
        tell = log.warning if failures else log.info
        tell("backfill.done", type=job["_id"], failures=failures, **_counts(job))

    async def _fill(
        self, job: Document, place: Place, stretch: Stretch, claimed: datetime
    ) -> tuple[Document, datetime]:
        """One stretch of a partition; the claim is kept alive with the progress.

        What stands before it is read too: of that a copy in the stretch is none of what was missed.
        """
        before: dict[str, list[Range]] = {}
        async for records in self.bus.scan(place[0], {place: 0}, {place: stretch.end}):
            first = _first_in(stretch, events_of(records), before)
            mine = [event for event in first if event.type == job["_id"]]
            for wave in _waves(mine) or [[]]:
                job = await self._apply(job, wave)
                claimed = await self._move(job, claimed, self.clock.now() + CLAIM)
        return job, claimed

    async def _move(
        self, job: Document, claimed: datetime, to: datetime, state: str = "running"
    ) -> datetime:
        """Note how far it is and when it is due again, in one step; until then it is ours."""
        place, note = Instant(COLLECTION, job["_id"], "due"), {**_progress(job), "state": state}
        if not await self.store.move(place, claimed, to, note):
            raise StoreError("another process has taken over")
        return to

    async def _apply(self, job: Document, events: list[Envelope]) -> Document:
        works = [Fill(caused_by(event, self.clock.now()), event) for event in events]
        self.writer.submit(works)
        applied, failed, failures = 0, 0, job["failures"]
        outcomes = await asyncio.gather(*(one.future for one in works), return_exceptions=True)
        for event, outcome in zip(events, outcomes, strict=True):
            if isinstance(outcome, StoreError | Unavailable):
                raise outcome
            if isinstance(outcome, Exception):
                failed += 1
                failures = _with(failures, event.key, event.sequence, code_of(outcome))
            applied += outcome is True
        return {
            **job,
            "events": job["events"] + len(events),
            "applied": job["applied"] + applied,
            "failed": job["failed"] + failed,
            "failures": failures,
        }


def _first_in(
    stretch: Stretch, found: Sequence[tuple[Record, Envelope]], before: dict[str, list[Range]]
) -> list[Envelope]:
    """Those that did not stand before the stretch already; what stands there is noted by key."""
    first: list[Envelope] = []
    for record, event in found:
        ranges, number = before.get(event.key, []), event.sequence
        if record.offset < stretch.start:
            before[event.key] = merged([*ranges, (number, number)])
        elif stretch.has(record.offset) and not is_within(number, ranges):
            first.append(event)
    return first


def _waves(events: list[Envelope]) -> list[list[Envelope]]:
    """Each key once in each: nothing of a key is tried before what comes before it is applied."""
    waves: list[list[Envelope]] = []
    seen: Counter[str] = Counter()
    for event in events:
        if seen[event.key] == len(waves):
            waves.append([])
        waves[seen[event.key]].append(event)
        seen[event.key] += 1
    return waves


def _lost(job: Document, place: Place, stretch: Stretch) -> Document:
    return {**job, "failures": _with(job["failures"], place_id(place), stretch.end, ANEW)}


def _with(failures: list[Document], key: str, sequence: int, code: str) -> list[Document]:
    """One more, once, as long as there is room."""
    one = {"key": key, "sequence": sequence, "code": code}
    return failures if one in failures else [*failures, one][:FAILURES_KEPT]


def _progress(job: Document) -> Document:
    return {**_counts(job), "failures": job["failures"]}


def _counts(job: Document) -> dict[str, int]:
    return {name: job[name] for name in ("events", "applied")}
