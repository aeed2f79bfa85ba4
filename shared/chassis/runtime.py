"""One running service: its loops in their order of start, and of stop within 10 seconds."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Coroutine, Sequence
from secrets import token_bytes
from typing import Any

import structlog

from shared.chassis import control, streams
from shared.chassis.auth import Verifier
from shared.chassis.backfill import Backfills
from shared.chassis.clock import Clock
from shared.chassis.consumer import Intake
from shared.chassis.control import CONTROL
from shared.chassis.deadlines import Deadlines
from shared.chassis.duties import Duties
from shared.chassis.envelope import GENESIS, topic_of
from shared.chassis.handled import Handled
from shared.chassis.heads import ALL, RECENT, Announcer
from shared.chassis.outbox import Publisher
from shared.chassis.ports import (
    Bus,
    BusError,
    Conflict,
    Document,
    Index,
    Put,
    Record,
    Store,
    StoreError,
)
from shared.chassis.repair import Repair
from shared.chassis.tail import TAIL, Tail
from shared.chassis.writer import Writer
from shared.model import Aggregate, Handlers

OWN = (
    "streams",
    "outbox",
    "requests",
    "parked",
    "quarantine",
    "offsets",
    "secrets",
    "duties",
    "acknowledged",
    "audit",
    "orders",
    "handled",
    "backfills",
    "filled",
    "let_go",
    "breaker",
)

INDEXES = (
    Index("outbox", "send_after", only="send_after"),
    Index("outbox", "at", only="send_after"),
    Index("outbox", "events.key", "events.sequence"),
    Index("requests", "expires", expires=True),
    Index("parked", "next_attempt", only="next_attempt"),
    Index("parked", "reason"),
    Index("audit", "at"),
    Index("backfills", "due", only="due"),
    Index("quarantine", "at"),
)

STALLED = 15.0
"""Seconds without a poll after which the service says that it is not ready."""

DUTIES = (RECENT, ALL, TAIL)

log = structlog.get_logger("telar.runtime")


class Runtime:
    """What one process of a service runs, built from its store, its bus and its rules."""

    def __init__(  # noqa: PLR0913  the composition root of a process
        self,
        name: str,
        *,
        store: Store,
        bus: Bus,
        verifier: Verifier,
        handlers: Handlers,
        aggregates: Sequence[Aggregate[Any]],
        indexes: Sequence[Index] = (),
        partitions: int = 6,
        group: str = "",
    ) -> None:
        self.name, self.group = name, group or name
        self.store, self.bus, self.verifier = store, bus, verifier
        self.aggregates, self.partitions = aggregates, partitions
        dues = [Index(one.name, "due", only="due") for one in aggregates if one.due]
        self.indexes = [*INDEXES, *indexes, *dues]
        self.clock = Clock(store)
        self.publisher = Publisher(store, bus, self.clock)
        self.writer = Writer(store, self.clock, handlers, self.publisher.offer)
        self.topic = topic_of(f"telar.{name}.x")
        self.duties = Duties(store, self.clock)
        self.announcer = Announcer(self.topic, store, self.clock, self.publisher, self.duties)
        self.tail = Tail(self.topic, store, bus, self.publisher, self._topics)
        self.repair = Repair(self.group, store, bus, self.clock, self.writer)
        self.handled = Handled(store, foreign_types(name, handlers))
        self.backfills = Backfills(store, bus, self.clock, self.writer, self.handled)
        self.intake = self._intake(handlers)
        self.deadlines = Deadlines(store, self.clock, self.writer, aggregates)
        self.in_flight: set[str] = set()
        self.secret = b""
        self.started = False
        self.stopping = False
        self.behind = 0  # keys of which Kafka knows more: this database is an old backup
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def _intake(self, handlers: Handlers) -> Intake:
        return Intake(
            self.group,
            foreign_topics(self.name, handlers),
            store=self.store,
            bus=self.bus,
            clock=self.clock,
            writer=self.writer,
            control=self._hear,
            handled=self.handled,
        )

    async def start(self) -> None:
        """Serve at once; become ready when the store and the bus answer."""
        self._spawn("boot", self._boot())

    async def _boot(self) -> None:
        pause = 0.1
        while not await self._is_prepared():
            await asyncio.sleep(pause)
            pause = min(pause * 2, 3.0)
        for name, loop in self._loops().items():
            self._spawn(name, loop)
        self.started = True
        log.info("service.started")

    def _loops(self) -> dict[str, Coroutine[Any, Any, None]]:
        return {
            "writer": self.writer.run(),
            "publisher": self.publisher.run(),
            "sweep": self.publisher.run_sweep(),
            "clock": self.clock.run(),
            "deadlines": self.deadlines.run(),
            "repair": self.repair.run(),
            "heads": self.announcer.run(),
            "backfill": self.backfills.run(),
            "tail": self.tail.run(self.clock, self.duties),
            "intake": self.intake.run(),
        }

    async def _is_prepared(self) -> bool:
        """Everything is there, and nobody knows more of our streams than we do."""
        try:
            await self._prepare()
            self.behind = len(await self.tail.ahead())
            if self.behind:
                log.error("start.restored", keys=self.behind, todo="docs/runbooks/adopt.md")
                return False
            await self.publisher.ends.learn()
        except (StoreError, BusError) as error:
            log.warning("start.waits", error=type(error).__name__, detail=str(error)[:200])
            return False
        return True

    async def _prepare(self) -> None:
        collections = [*OWN, *(aggregate.name for aggregate in self.aggregates)]
        await self.store.ensure(collections, self.indexes)
        await self.clock.sync()
        self.secret = await _secret(self.store)
        await self._topics()
        await self.duties.ensure(*DUTIES)

    async def _topics(self) -> None:
        """Make those that are missing: at the start, and where a broker came back empty."""
        topics = dict.fromkeys((*self.intake.topics, self.topic), self.partitions)
        await self.bus.ensure({**topics, CONTROL: 1}, passing=[CONTROL])

    def _hear(self, record: Record) -> None:
        """A message on `telar.control`: an ask for our events, or where others' streams end."""
        match control.read(record):
            case control.Ask() as ask:
                self.announcer.asked(ask)
            case control.Heads(topic=topic) as heads if topic in self.intake.topics:
                self.repair.hear(heads)
            case _:
                pass  # anybody may write anything there

    def head_of(self, stream: Document | None) -> tuple[int, str]:
        """The number and hash of the last event that was given to a key."""
        return streams.head(stream, self.topic) if stream else (0, GENESIS)

    def _spawn(self, name: str, loop: Coroutine[Any, Any, None]) -> None:
        async def guarded() -> None:
            try:
                await loop
            except asyncio.CancelledError:
                if task.cancelling():
                    raise
                _died(name)  # not the loop was cancelled, but what it waited for
            except Exception:
                _died(name)

        self._tasks[name] = task = asyncio.create_task(guarded(), name=name)

    async def faults(self) -> list[str]:
        """Why this service is not ready; empty when it is."""
        if not self.started or self.stopping:
            waits = "restored" if self.behind else "starting"
            return ["stopping" if self.stopping else waits]
        found = ["breaker"] if self.intake.is_open else []
        try:
            async with asyncio.timeout(2):
                await self.store.time()
        except (StoreError, TimeoutError):
            found.append("mongo")
        try:
            async with asyncio.timeout(2):
                await self.bus.ping()
        except (BusError, TimeoutError):
            found.append("kafka")
        if self.intake.idle_seconds > STALLED:
            found.append("consumer")
        return found if self.clock.trusted else [*found, "clock"]

    async def stop(self) -> None:
        """Poll no more, finish or abandon by deadline, send, close: 9 seconds at the most."""
        self.stopping = True
        self.intake.stop()
        for name in ("boot", "sweep", "clock", "deadlines", "repair", "heads", "backfill", "tail"):
            await self._end(name, 0.0)
        await self._end("intake", 2.5)
        self.writer.stop()
        await self._end("writer", 2.0)
        self.writer.abandon()
        self.publisher.stop()
        await self._end("publisher", 1.5)
        closing = (self.publisher.close(1.0), self.repair.close(1.0), self.bus.close())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2.0):
                await asyncio.gather(*closing, self.store.close(), return_exceptions=True)
        log.info("service.stopped")

    async def _end(self, name: str, patience: float) -> None:
        task = self._tasks.get(name)
        if task is None:
            return
        if patience:
            await asyncio.wait([task], timeout=patience)
        task.cancel()
        await asyncio.wait([task], timeout=0.5)


def _died(loop: str) -> None:
    """A loop that ends by itself is a bug: better a new process than half a one."""
    log.exception("loop.died", loop=loop)
    os.kill(os.getpid(), signal.SIGTERM)


def foreign_types(name: str, handlers: Handlers) -> frozenset[str]:
    """The types of other services that are handled."""
    handled = (one.event_type for one in handlers.types() if one.event_type)
    return frozenset(one for one in handled if topic_of(one) != topic_of(f"telar.{name}.x"))


def foreign_topics(name: str, handlers: Handlers) -> list[str]:
    """The topics of other services whose events are handled; nobody consumes its own."""
    return sorted({topic_of(one) for one in foreign_types(name, handlers)})


async def _secret(store: Store) -> bytes:
    """The service's key for hashing request bodies, made at first start."""
    for _ in range(20):
        found = await store.get("secrets", "requests")
        if found is not None:
            return bytes(found["key"])
        try:
            async with store.transaction() as transaction:
                await transaction.load({"secrets": ["requests"]})
                key = {"_id": "requests", "version": 1, "key": token_bytes(32)}
                await transaction.write([Put("secrets", key)])
                await transaction.commit()
        except Conflict:
            continue  # another replica was first
    raise StoreError("no secret could be made")
