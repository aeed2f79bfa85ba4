"""The one write path: whatever intents wait are folded and committed in one transaction.

    commands ─┐
    events   ─┼─> up to 500 intents ─> load ─> fold ─> write ─> commit ─> answer, then publish
    deadlines ┘                         ^ missing? load more, fold again
                                        next: load ─> fold, and write once this is committed

A refused intent drops out with its own answer; the others go on. A conflict with another replica
runs the batch again; what named the contended document then goes alone, and where another process
stays in its way it waits aside, for as long as a batch may take, while the others go on. If it
cannot be written for a reason that is nobody's answer, it is found out whose fault that is: his
intent alone fails.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

import structlog

from shared.chassis import metrics
from shared.chassis.batch import Batch, Ref
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
    is_read_again,
    parted,
    pause,
    sorted_out,
    with_later,
    without_culprits,
)
from shared.chassis.draft import Ahead, Draft, drafted
from shared.chassis.envelope import Envelope
from shared.chassis.errors import Problem, Unavailable
from shared.chassis.outbox import outbox_document
from shared.chassis.ports import (
    Conflict,
    Document,
    OutcomeUnknown,
    Place,
    Put,
    Store,
    StoreError,
    StoreUnavailable,
    UniqueViolated,
    Write,
    place_id,
)
from shared.chassis.queue import MOST_INTENTS, Queue
from shared.chassis.reading import Reading
from shared.chassis.work import Arrival, Work
from shared.model import Handlers, Refused

PATIENCE = 8.0
"""Seconds for which an intent is tried again before its caller is told to come back."""

Moved = tuple[Reading, set[int]]

Offer = Callable[[Document, list[Envelope]], None]

log = structlog.get_logger("telar.writer")


class Writer:
    """Folds and commits the intents of one process, one transaction at a time."""

    def __init__(self, store: Store, clock: Clock, handlers: Handlers, offer: Offer) -> None:
        self.store, self.clock, self.handlers, self.offer = store, clock, handlers, offer
        self._queue = Queue()
        self._aside = Aside()
        self._ahead = Ahead(store, handlers)
        self._under_way: Batch | None = None
        self._bell = asyncio.Event()
        self.breaker = Breaker()
        self._sent: list[Work] = []
        self._stopping = False

    def submit(self, works: Iterable[Work]) -> None:
        """Queue intents, in order; each one's future tells how it ended."""
        self._queue.add(works)
        self._draft_next(least=MOST_INTENTS)
        self._bell.set()

    def withdraw(self, works: Iterable[Work]) -> None:
        """Forget those of these that still wait."""
        self._queue.remove(works)

    def recall(self, command: Work) -> None:
        """Its caller waits no more. If it still waits here it is never written, and ends so."""
        fail_all(self._queue.remove([command]), Unavailable("not-ready"))

    async def run(self) -> None:
        """Commit batch after batch until `stop`, and then what still waits."""
        while True:
            begun = await self._ahead.take()
            if begun is None:
                for group in self._aside.ready():
                    await self._settle(group)
                begun = await self._ahead.take()
            if begun is not None:
                await self._settle(*begun)
            elif self._queue:
                await self._settle(self._next())
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
        for work in [*self._ahead.drop(), *self._queue.works(), *self._aside.works()]:
            fail(work, Unavailable("not-ready"))

    def _next(self) -> Group:
        return Group(self._queue.take(), asyncio.get_running_loop().time() + PATIENCE)

    async def _settle(self, group: Group, draft: Draft | None = None) -> None:
        """Commit these, in as many transactions as it takes; what isn't put aside is answered."""
        if again := [work for work in group.works if is_read_again(work)]:
            fail_all(again, Unavailable("not-ready"))
            group.works = [work for work in group.works if not work.future.done()]
            draft = None
        works, loop = group.works, asyncio.get_running_loop()
        parts: list[Group] = []
        try:
            async with asyncio.timeout_at(group.until):
                await self._commit_all(group, draft)
            if group.until - loop.time() > PATIENCE * 3 / 4:
                self._queue.was_quick(works)
        except (TimeoutError, OutcomeUnknown) as error:
            if not group.tries:  # one that waited aside tells nothing of what a batch may hold
                self._queue.took_too_long(works)  # or the same would be tried for ever
            log.warning("batch.given_up", intents=len(works), error=type(error).__name__)
            fail_all(self._sent, Unavailable("outcome-unknown"))
            fail_all(works, Unavailable("not-ready"))  # of these nothing is written
        except (StoreError, Refused, Problem) as error:
            fail_all(works, error)
        except Exception as error:
            parts = sorted_out(group, error)
        for part in parts:
            await self._settle(part)

    async def _commit_all(self, group: Group, draft: Draft | None) -> None:
        groups, tries = deque([group.works]), group.tries
        seen: dict[Ref, int | None] = {}
        while groups:
            works = groups.popleft()
            try:
                now = draft or await drafted(
                    self.store, self.handlers, works, carefully=group.with_care
                )
                draft, seen = None, {ref: cell.was for ref, cell in now.batch.cells.items()}
                await self._commit(now, is_last=not (groups or now.left))
                parts, tries = [now.left], 0
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

    async def _commit(self, draft: Draft, *, is_last: bool) -> None:
        """One transaction; beside its commit the next batch is drafted."""
        batch, outcomes = draft.batch, draft.outcomes
        attempts = tried(outcomes)
        self.breaker.judge(attempts)
        document = outbox_document(batch.published, self.clock.now())
        moved = _moved(work for work, end in outcomes.items() if not isinstance(end, Exception))
        writes = [*batch.writes(), *(_offset(place, *one) for place, one in moved.items())]
        if document is not None:
            writes.append(Put("outbox", document))
        if writes:
            async with self.store.transaction() as transaction:
                with self._drafting(batch, is_last=is_last):
                    await transaction.commit(writes, partial(self._is_sent, list(outcomes)))
                self._sent = []
        for place, (reading, offsets) in moved.items():
            reading.forget(place, offsets)
        self.breaker.keep(attempts)
        for (counter, labels), times in Counter(batch.counted).items():
            counter.labels(*labels).inc(times)
        if document is not None:
            self.offer(document, batch.published)
        self._answer(draft)

    def _is_sent(self, works: list[Work]) -> None:
        """The commit of these is under way; whatever waits by now is drafted beside it."""
        self._sent = works
        self._draft_next(least=1)

    @contextmanager
    def _drafting(self, batch: Batch, *, is_last: bool) -> Iterator[None]:
        """Draft the next batch beside this; if this fails, its intents wait again."""
        self._under_way = batch if is_last and not self._aside.works() else None
        self._draft_next(least=MOST_INTENTS)
        try:
            yield
        except BaseException:
            self._queue.put_back(self._ahead.drop())
            raise
        finally:
            self._under_way = None

    def _draft_next(self, *, least: int) -> None:
        """Draft what waits, on what is under way, if there are so many."""
        if self._under_way is None or self._ahead.is_begun:
            return
        if len(self._queue) >= min(least, self._queue.most):
            self._ahead.begin(self._next(), self._under_way)

    def _answer(self, draft: Draft) -> None:
        metrics.COMMIT_SECONDS.observe(time.perf_counter() - draft.began)
        metrics.BATCH_INTENTS.observe(len(draft.outcomes))
        for kind, count in Counter(map(type, draft.outcomes)).items():
            metrics.INTENTS.labels(kind.__name__).inc(count)
        for work, outcome in draft.outcomes.items():
            if isinstance(outcome, Exception):
                fail(work, outcome)
            elif not work.future.done():
                work.future.set_result(outcome)


def _moved(written: Iterable[Work]) -> dict[Place, Moved]:
    """What these arrivals have moved, by partition: who reads it, and their offsets."""
    moved: dict[Place, Moved] = {}
    for work in written:
        if isinstance(work, Arrival):
            moved.setdefault(work.place, (work.reading, set()))[1].add(work.record.offset)
    return moved


def _offset(place: Place, reading: Reading, offsets: set[int]) -> Write:
    """Where this partition is read on once these are written, and past the last that is."""
    at, top = reading.next_offset(place, offsets), reading.top_with(place, offsets)
    document = {"_id": place_id(place), "next": at, "top": top}
    return Put("offsets", document, versioned=False)
