"""The one write path: whatever intents wait are folded and committed in one transaction.

    commands ─┐
    events   ─┼─> up to 500 intents ─> load ─> fold ─> write ─> commit ─> answer, then publish
    deadlines ┘                         ^ missing? load more, fold again

A refused intent drops out with its own answer; the others go on. A conflict with another replica
runs the batch again; what named the contended document then goes alone, and where another process
stays in its way it waits aside, for as long as a batch may take, while the others go on.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import structlog

from shared.chassis import logging, metrics
from shared.chassis.breaker import Breaker, BreakerOpen, tried
from shared.chassis.clock import Clock
from shared.chassis.contention import (
    AT_ONCE,
    Aside,
    Group,
    fail,
    fail_all,
    in_place,
    is_one,
    parted,
    pause,
    with_later,
    without_culprits,
)
from shared.chassis.envelope import Envelope
from shared.chassis.errors import Problem, Unavailable
from shared.chassis.fold import (
    BATCH_BYTES,
    Batch,
    Missing,
    Ref,
    Scope,
    by_collection,
    in_order,
)
from shared.chassis.outbox import outbox_document
from shared.chassis.ports import (
    Conflict,
    Document,
    OutcomeUnknown,
    Put,
    Store,
    StoreError,
    StoreUnavailable,
    Transaction,
    UniqueViolated,
    Write,
)
from shared.chassis.queue import Queue
from shared.chassis.work import Arrival, Work
from shared.model import Handlers, Refused

MOST_FOLDING = 1.0
"""Seconds after which a batch is closed, so that the rest does not wait for it."""

PATIENCE = 8.0
"""Seconds for which an intent is tried again before its caller is told to come back."""

Offer = Callable[[Document, list[Envelope]], None]

log = structlog.get_logger("telar.writer")


class Writer:
    """Folds and commits the intents of one process, one transaction at a time."""

    def __init__(self, store: Store, clock: Clock, handlers: Handlers, offer: Offer) -> None:
        self.store, self.clock, self.handlers, self.offer = store, clock, handlers, offer
        self._queue = Queue()
        self._aside = Aside()
        self._bell = asyncio.Event()
        self._breaker = Breaker()
        self._sent: list[Work] = []
        self._stopping = False

    def submit(self, works: Iterable[Work]) -> None:
        """Queue intents, in order; each one's future tells how it ended."""
        self._queue.add(works)
        self._bell.set()

    def withdraw(self, works: Iterable[Work]) -> None:
        """Forget those of these that still wait."""
        self._queue.remove(works)

    async def run(self) -> None:
        """Commit batch after batch until `stop`, and then what still waits."""
        loop = asyncio.get_running_loop()
        while True:
            for group in self._aside.ready():
                await self._settle(group)
            if self._queue:
                await self._settle(Group(self._queue.take(), loop.time() + PATIENCE))
            elif self._stopping and not self._aside.works():
                return
            else:
                await self._rest()

    async def _rest(self) -> None:
        self._bell.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._aside.soonest):
                await self._bell.wait()

    def stop(self) -> None:
        """Finish what waits, then return from `run`."""
        self._stopping = True
        self._bell.set()

    def abandon(self) -> None:
        """The deadline is over: what still waits is not written."""
        for work in [*self._queue.works(), *self._aside.works()]:
            fail(work, Unavailable("not-ready"))

    async def _settle(self, group: Group) -> None:
        """Commit these, in as many transactions as it takes; what isn't put aside is answered."""
        works, started = group.works, time.monotonic()
        try:
            async with asyncio.timeout_at(group.until):
                await self._commit_all(group)
            if time.monotonic() - started < PATIENCE / 4:
                self._queue.was_quick(works)
        except (TimeoutError, OutcomeUnknown) as error:
            self._queue.took_too_long(works)  # or the same would be tried for ever
            log.warning("batch.given_up", intents=len(works), error=type(error).__name__)
            fail_all(self._sent, Unavailable("outcome-unknown"))
            fail_all(works, Unavailable("not-ready"))  # of these nothing is written
        except (StoreError, Refused, Problem) as error:
            fail_all(works, error)
        except Exception as error:
            log.exception("batch.failed", intents=len(works))
            fail_all(works, error)

    async def _commit_all(self, group: Group) -> None:
        groups, tries = deque([group.works]), group.tries
        seen: dict[Ref, int | None] = {}
        while groups:
            works = groups.popleft()
            try:
                parts = [await self._commit(works, seen)]
                tries = 0
            except (Conflict, StoreUnavailable) as error:
                metrics.CONFLICTS.inc()
                self._sent = []
                tries += 1
                if isinstance(error, StoreUnavailable):
                    await asyncio.sleep(pause(tries))
                    parts = [works]
                elif tries >= AT_ONCE and is_one(works):
                    self._aside.put(Group(with_later(works, groups), group.until, tries))
                    tries = AT_ONCE - 1
                    continue
                else:
                    await in_place(tries)
                    parts = [works] if tries < AT_ONCE else await parted(self.store, works, seen)
            except (BreakerOpen, UniqueViolated) as error:
                parts = without_culprits(works, error)
            groups.extendleft(part for part in reversed(parts) if part)

    async def _commit(self, works: list[Work], seen: dict[Ref, int | None]) -> list[Work]:
        """One transaction. Returns the intents that did not fit into it."""
        started = time.perf_counter()
        batch = Batch(self.handlers)
        async with self.store.transaction() as transaction:
            outcomes, left = await self._fold(transaction, batch, works)
            seen.clear()
            seen.update({ref: cell.was for ref, cell in batch.cells.items()})
            done = [work for work in works if work in outcomes]
            attempts = tried(outcomes)
            self._breaker.judge(attempts)
            document = outbox_document(batch.published, self.clock.now())
            written = [work for work in done if not isinstance(outcomes[work], Exception)]
            writes = [*batch.writes(), *_offsets(written)]
            if document is not None:
                writes.append(Put("outbox", document))
            if writes:
                await transaction.write(writes)
                self._sent = done
                await transaction.commit()
                self._sent = []
        _forget(written)
        self._breaker.keep(attempts)
        for (counter, labels), times in Counter(batch.counted).items():
            counter.labels(*labels).inc(times)
        if document is not None:
            self.offer(document, batch.published)
        self._answer(done, outcomes, started)
        return left

    def _answer(self, done: list[Work], outcomes: dict[Work, Any], started: float) -> None:
        metrics.COMMIT_SECONDS.observe(time.perf_counter() - started)
        metrics.BATCH_INTENTS.observe(len(done))
        for kind, count in Counter(map(type, done)).items():
            metrics.INTENTS.labels(kind.__name__).inc(count)
        for work in done:
            outcome = outcomes[work]
            if isinstance(outcome, Exception):
                fail(work, outcome)
            elif not work.future.done():
                work.future.set_result(outcome)

    async def _fold(
        self, transaction: Transaction, batch: Batch, works: list[Work]
    ) -> tuple[dict[Work, Any], list[Work]]:
        missing = {ref for work in works for ref in self._first(work)}
        while True:
            if missing:
                refs = in_order(missing)
                batch.add(refs, await transaction.load(by_collection(refs)))
                batch.reset()
            outcomes, missing, left = self._pass(batch, works)
            if not missing:
                return outcomes, left

    def _first(self, work: Work) -> Sequence[Ref]:
        return work.plan(self.handlers) if isinstance(work, Arrival) else work.wanted()

    def _pass(
        self, batch: Batch, works: list[Work]
    ) -> tuple[dict[Work, Any], set[Ref], list[Work]]:
        """Fold each intent once; collect what any of them still misses."""
        outcomes: dict[Work, Any] = {}
        missing: set[Ref] = set()
        until = time.perf_counter() + MOST_FOLDING
        for number, work in enumerate(works):
            if outcomes and (batch.bytes > BATCH_BYTES or time.perf_counter() > until):
                return outcomes, missing, works[number:]
            try:
                outcomes[work] = fold_one(batch, work)
            except Missing as more:
                missing |= more.refs
        return outcomes, missing, []


def fold_one(batch: Batch, work: Work) -> Any:
    """Fold one intent into the batch, whole or not at all; an exception is its outcome."""
    scope = Scope(batch)
    with logging.Inside(work.about):
        try:
            outcome = work.fold(scope)
            scope.close()
        except Missing:
            raise
        except Exception as error:
            scope = Scope(batch)
            try:
                outcome = work.failed(scope, error)
                scope.close()
            except Missing:
                raise
            except Exception as final:
                return final
        finally:
            work.named.update(scope.named, scope.values)
        return outcome


def _forget(written: list[Work]) -> None:
    """What a poll still has to write is without these."""
    for work in written:
        if isinstance(work, Arrival):
            work.poll.forget(work.place, work.record.offset)


def _offsets(done: list[Work]) -> list[Write]:
    """The next offset of each partition that these arrivals move."""
    arrived: dict[tuple[str, int], set[int]] = {}
    polls = {}
    for work in done:
        if isinstance(work, Arrival):
            arrived.setdefault(work.place, set()).add(work.record.offset)
            polls[work.place] = work.poll
    return [
        Put(
            "offsets",
            {"_id": f"{place[0]}/{place[1]}", "next": polls[place].next_offset(place, offsets)},
            versioned=False,
        )
        for place, offsets in arrived.items()
    ]
