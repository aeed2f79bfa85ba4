"""Deadlines: an aggregate whose `due` has come gets a `Tick`; every replica looks."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import structlog

from shared.chassis import logging, metrics
from shared.chassis.batch import Ref
from shared.chassis.clock import NEVER, Clock
from shared.chassis.errors import Problem
from shared.chassis.fold import Scope, refs_of, run
from shared.chassis.parking import code_of
from shared.chassis.ports import Document, Instant, Store, StoreError
from shared.chassis.work import Work
from shared.chassis.writer import Writer
from shared.model import Aggregate, Context, Do, Tick

CLAIM, CLAIM_MOST = timedelta(seconds=30), timedelta(hours=1)
"""A claimed deadline comes again after this, doubling, if its tick failed or changed nothing."""

ATTEMPTS = 8
DEAD = NEVER
"""The `due` of what failed so often; any later change of the aggregate sets its own again."""

log = structlog.get_logger("telar.deadlines")


class TickWork(Work):
    """The instant that an aggregate's `due` named has come."""

    def __init__(self, context: Context, aggregate: Aggregate[Any], doc_id: str) -> None:
        super().__init__(context)
        self.step = Do(aggregate, doc_id, Tick())

    def wanted(self) -> Sequence[Ref]:
        """The aggregate itself."""
        return refs_of([self.step])

    def fold(self, scope: Scope) -> None:
        """Tick, if it is still there."""
        if scope.read(refs_of([self.step])[0]) is not None:
            run(scope, [self.step], self.context)


class Deadlines:
    """Looks for what is due, claims it, and ticks it."""

    def __init__(
        self, store: Store, clock: Clock, writer: Writer, aggregates: Sequence[Aggregate[Any]]
    ) -> None:
        self.store, self.clock, self.writer = store, clock, writer
        self.aggregates = [aggregate for aggregate in aggregates if aggregate.due is not None]

    async def run(self, every: float = 0.25) -> None:
        """Look several times a second; what fails comes again when its claim is over."""
        while True:
            await asyncio.sleep(every)
            try:
                for aggregate in self.aggregates:
                    await self.look(aggregate)
            except (StoreError, Problem):
                continue

    async def look(self, aggregate: Aggregate[Any]) -> int:
        """Tick what is due of one aggregate; how many there were."""
        at = self.clock.now()
        found = await self.store.before(aggregate.name, "due", at, 100)
        works = list[TickWork]()
        with suppress(StoreError):  # what was claimed before would wait for its claim to end
            for one in found:
                if await self._claim(aggregate, one, at):
                    works.append(_tick(aggregate, one, at))
        if works:
            self.writer.submit(works)
            ends = await asyncio.gather(*(work.future for work in works), return_exceptions=True)
            for work, end in zip(works, ends, strict=True):
                if isinstance(end, Exception):
                    _say(aggregate, work, end)
            metrics.TICKS.labels(aggregate.name).inc(len(works))
        return len(works)

    async def _claim(self, aggregate: Aggregate[Any], document: Document, at: datetime) -> bool:
        # The state of a tick that did something is written without `ticks`: it counts in a row.
        ticks = document.get("ticks", 0)
        is_dead = ticks >= ATTEMPTS
        to = DEAD if is_dead else at + min(CLAIM * 2**ticks, CLAIM_MOST)
        place = Instant(aggregate.name, document["_id"], "due")
        mine = await self.store.move(place, document["due"], to, {"ticks": ticks + 1})
        if mine and is_dead:
            log.error("deadline.dead", aggregate=aggregate.name, ticks=ticks)
            metrics.DEADLINES_DEAD.labels(aggregate.name).inc()
        return mine and not is_dead


def _tick(aggregate: Aggregate[Any], document: Document, at: datetime) -> TickWork:
    doc_id = document["_id"]
    cause = f"tick/{aggregate.name}/{doc_id}/{document['due'].isoformat()}"
    context = Context(at=at, actor="clock", cause=cause, correlation=cause)
    return TickWork(context, aggregate, doc_id)


def _say(aggregate: Aggregate[Any], work: TickWork, error: Exception) -> None:
    """Why a tick failed: nobody else waits for its outcome. `causation` names the document."""
    where = logging.place(error)
    with logging.Inside(work.about):
        log.warning("deadline.failed", aggregate=aggregate.name, code=code_of(error), where=where)
