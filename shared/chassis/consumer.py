"""Consuming: records of other services' topics become intents; the writer keeps the order.

Kafka's own offsets are for display: what was applied is in `streams`. Infrastructure errors park
nothing: the records are polled again from what is written.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

import structlog

from shared.chassis import breaker, metrics
from shared.chassis.breaker import BreakerOpen
from shared.chassis.clock import Clock
from shared.chassis.control import CONTROL
from shared.chassis.envelope import Envelope, short
from shared.chassis.handled import Handled
from shared.chassis.polls import Polls
from shared.chassis.ports import Bus, BusError, Consumer, Place, Record, Store, place_id
from shared.chassis.reading import Reading
from shared.chassis.work import APPLIED, Arrival
from shared.chassis.writer import Writer

COMMIT_EVERY = 1.0
COMMIT_DEADLINE, COMMIT_AGAIN = 2.0, 5.0
"""Seconds until noting offsets is given up, and tried again: meanwhile records are consumed."""

UNNOTED = 4
"""Times in a row after which, if the bus does answer, this member is replaced by a new one."""

SHORTEST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
SHORTEST_BREAK, LONGEST_BREAK = 30.0, 600.0
"""Seconds until the same batch is tried again while the breaker is open."""

LET_PASS_EVERY = 2.0
"""Seconds between two looks whether an operator lets it pass."""

log = structlog.get_logger("telar.consumer")

Control = Callable[[Record], None]


class LeftOut(Exception):
    """The group has forgotten this member."""


class Intake:
    """One service's consumer: polls, hands to the writer, and notes how far it came."""

    def __init__(  # noqa: PLR0913  the composition of a whole consumer
        self,
        group: str,
        topics: Sequence[str],
        *,
        store: Store,
        bus: Bus,
        clock: Clock,
        writer: Writer,
        control: Control,
        handled: Handled,
    ) -> None:
        self.group, self.topics = group, [*topics, CONTROL]
        self.store, self.bus, self.clock, self.writer = store, bus, clock, writer
        self.control, self.handled = control, handled
        self.polled_at = time.monotonic()
        self._polls: Polls | None = None
        self._offsets: dict[Place, int] = {}
        self._commit_at = 0.0
        self._shown: set[tuple[str, str]] = set()
        self._unnoted = 0
        self._stopped = asyncio.Event()
        self.is_open = False
        self._break = SHORTEST_BREAK

    def stop(self) -> None:
        """Poll no more; `run` returns once the current batch is written."""
        self._stopped.set()
        if self._polls is not None:
            self._polls.stop()

    async def run(self) -> None:
        """Consume until `stop`; a broken consumer is replaced by a new one."""
        pause = SHORTEST_PAUSE
        while not self._stopped.is_set():
            try:
                await self._step()
                pause = SHORTEST_PAUSE
            except BreakerOpen:
                await self._pause()
            except Exception as error:
                log.warning(
                    "consumer.restarts", error=type(error).__name__, detail=str(error)[:200]
                )
                await self._rest(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
        if self.is_open:  # the process may go on without it, and nobody else would say so
            self._open(is_open=False)
        await self._drop(3.0)

    async def _rest(self, seconds: float) -> None:
        await self._drop(2.0)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()

    async def _pause(self) -> None:
        """The breaker is open: nothing is consumed, nothing was parked, and somebody must act."""
        log.error("breaker.open", topics=self.topics, again_in=self._break)
        self._open(is_open=True)
        again = time.monotonic() + self._break
        while not self._stopped.is_set() and (left := again - time.monotonic()) > 0:
            await self._rest(min(left, LET_PASS_EVERY))
            if (seconds := await breaker.seconds_left(self.store, self.clock)) > 0:
                log.warning("breaker.passes", seconds=round(seconds))
                self.writer.breaker.let_pass(seconds)
                return
        self._break = min(self._break * 2, LONGEST_BREAK)

    def _open(self, *, is_open: bool) -> None:
        self.is_open = is_open
        metrics.BREAKER_OPEN.set(is_open)

    @property
    def idle_seconds(self) -> float:
        """How long ago a poll last came back."""
        return time.monotonic() - self.polled_at

    async def _step(self) -> None:
        polls = self._polls = self._polls or await self._joined()
        poll = await polls.next()
        if poll.ends:
            await self._written(poll.works)
            self._offsets |= poll.ends
            for record in poll.said:
                self.control(record)
        await self._report(polls.consumer)

    async def _joined(self) -> Polls:
        reading = Reading()
        offsets = partial(self._stored, reading)
        consumer = await self.bus.consumer(self.group, self.topics, offsets)
        return Polls(consumer, reading, self.clock, self.writer, self._came)

    def _came(self) -> None:
        self.polled_at = time.monotonic()

    async def _written(self, works: list[Arrival]) -> None:
        outcomes = await self._outcomes(works)
        if works and self.is_open:
            self._open(is_open=False)
            self._break = SHORTEST_BREAK
        done = self.clock.now()
        topics = (short(work.record.topic) for work in works)
        for labels, count in Counter(zip(topics, outcomes, strict=True)).items():
            metrics.CONSUMED.labels(*labels).inc(count)
        metrics.EFFECT_SECONDS.observe_all(
            [
                max(0.0, (done - work.arrived.at).total_seconds())
                for work, outcome in zip(works, outcomes, strict=True)
                if isinstance(work.arrived, Envelope) and outcome == APPLIED
            ]
        )

    async def _outcomes(self, works: Sequence[Arrival]) -> list[str]:
        """How each ended; if one could not be written, none is left waiting: all come again.

        One after another: nearly all are answered at once, and nobody has to be woken for each.
        """
        try:
            return [await work.future for work in works]
        except BaseException:
            self.writer.withdraw(works)
            raise

    async def _report(self, consumer: Consumer) -> None:
        if time.monotonic() < self._commit_at:
            return
        self._commit_at = time.monotonic() + COMMIT_EVERY
        self._show(consumer.lag())
        try:
            await self._note(consumer, COMMIT_DEADLINE)
            self._unnoted = 0
        except BusError as error:  # noted next time: until then a topic counts as not read so far
            log.info("consumer.offsets_not_noted", error=str(error)[:200])
            self._commit_at = time.monotonic() + COMMIT_AGAIN
            await self._check_membership()

    async def _note(self, consumer: Consumer, deadline: float) -> None:
        """Tell the group how far its partitions are read; of what went elsewhere, nothing."""
        mine = consumer.assigned()
        self._offsets = {place: at for place, at in self._offsets.items() if place in mine}
        if self._offsets:
            await consumer.commit(self._offsets, deadline)
        self._offsets.clear()

    def _show(self, lag: Mapping[Place, int]) -> None:
        """How far behind each partition is; of one that went elsewhere another process tells."""
        shown = {(short(topic), str(number)): behind for (topic, number), behind in lag.items()}
        for gone in self._shown - shown.keys():
            metrics.LAG.remove(*gone)
        for labels, behind in shown.items():
            metrics.LAG.labels(*labels).set(behind)
        self._shown = set(shown)

    async def _check_membership(self) -> None:
        """Raise `LeftOut` if the group knows nothing of this member, though Kafka is there.

        Such a member reads on, but nobody would take over from it, nor it from anybody.
        """
        self._unnoted += 1
        if self._unnoted < UNNOTED:
            return
        try:
            await self.bus.ping()
        except BusError:
            return  # Kafka is away, and may know this member when it is back
        self._unnoted = 0
        raise LeftOut

    async def _stored(self, reading: Reading, places: Sequence[Place]) -> Mapping[Place, int]:
        """Where these partitions were left; asked when they were just taken up.

        The start, if nothing is stored: the store may be an old backup, whatever Kafka has noted.
        What was said on the control topic before is no concern of a new process.
        """
        ids = {place: place_id(place) for place in places if place[0] != CONTROL}
        there = await self.store.some("offsets", list(ids.values()))
        found: dict[Place, int] = {}
        for place, doc_id in ids.items():
            left = there.get(doc_id, {"next": 0})
            found[place] = int(left["next"])
            top = int(left.get("top", 0))  # an earlier release kept none
            top = reading.top[place] = max(reading.top.get(place, 0), top)  # or written meanwhile
            await self.handled.take_up(self.bus, place, found[place], top)
        return found

    async def _drop(self, deadline: float) -> None:
        polls, self._polls = self._polls, None
        if polls is None:
            return
        await polls.close()
        with suppress(BusError):  # Kafka's offsets are for display
            await self._note(polls.consumer, deadline)
        await polls.consumer.close(deadline)
