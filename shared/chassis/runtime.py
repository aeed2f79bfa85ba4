"""One running service: its loops in their order of start, and of stop within 10 seconds."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Coroutine, Sequence
from secrets import token_bytes
from typing import Any

import structlog

from shared.chassis.auth import Verifier
from shared.chassis.clock import Clock
from shared.chassis.consumer import CONTROL, Intake
from shared.chassis.envelope import topic_of
from shared.chassis.outbox import Publisher
from shared.chassis.ports import Bus, BusError, Conflict, Index, Put, Store, StoreError
from shared.chassis.repair import Deadlines, Repair
from shared.chassis.writer import Writer
from shared.model import Aggregate, Handlers

OWN = ("streams", "outbox", "requests", "parked", "quarantine", "offsets", "secrets")

INDEXES = (
    Index("outbox", "send_after", only="send_after"),
    Index("outbox", "events.key", "events.sequence"),
    Index("requests", "expires", expires=True),
    Index("parked", "next_attempt", only="next_attempt"),
    Index("parked", "reason"),
)

STALLED = 15.0
"""Seconds without a poll after which the service says that it is not ready."""

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
    ) -> None:
        self.name, self.store, self.bus, self.verifier = name, store, bus, verifier
        self.aggregates, self.partitions = aggregates, partitions
        dues = [Index(one.name, "due", only="due") for one in aggregates if one.due]
        self.indexes = [*INDEXES, *indexes, *dues]
        self.clock = Clock(store)
        self.publisher = Publisher(store, bus, self.clock)
        self.writer = Writer(store, self.clock, handlers, self.publisher.offer)
        self.repair = Repair(name, store, bus, self.clock, self.writer)
        self.intake = Intake(
            name,
            foreign_topics(name, handlers),
            store=store,
            bus=bus,
            clock=self.clock,
            writer=self.writer,
            control=self.repair.answer,
        )
        self.repair.publisher, self.repair.intake = self.publisher, self.intake
        self.deadlines = Deadlines(store, self.clock, self.writer, aggregates)
        self.in_flight: set[str] = set()
        self.secret = b""
        self.started = False
        self.stopping = False
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self) -> None:
        """Serve at once; become ready when the store and the bus answer."""
        self._spawn("boot", self._boot())

    async def _boot(self) -> None:
        pause = 0.1
        while True:
            try:
                await self._prepare()
                break
            except (StoreError, BusError) as error:
                log.warning("start.waits", error=type(error).__name__, detail=str(error)[:200])
                await asyncio.sleep(pause)
                pause = min(pause * 2, 3.0)
        self._spawn("writer", self.writer.run())
        self._spawn("publisher", self.publisher.run())
        self._spawn("sweep", self.publisher.run_sweep())
        self._spawn("clock", self.clock.run())
        self._spawn("deadlines", self.deadlines.run())
        self._spawn("repair", self.repair.run())
        self._spawn("intake", self.intake.run())
        self.started = True
        log.info("service.started")

    async def _prepare(self) -> None:
        collections = [*OWN, *(aggregate.name for aggregate in self.aggregates)]
        await self.store.ensure(collections, self.indexes)
        await self.clock.sync()
        self.secret = await _secret(self.store)
        topics = {topic: self.partitions for topic in self.intake.topics if topic != CONTROL}
        own = topic_of(f"telar.{self.name}.x")
        await self.bus.ensure({**topics, own: self.partitions, CONTROL: 1})

    def _spawn(self, name: str, loop: Coroutine[Any, Any, None]) -> None:
        async def guarded() -> None:
            try:
                await loop
            except Exception:
                # A loop that ends by itself is a bug: better a new process than half a one.
                log.exception("loop.died", loop=name)
                os.kill(os.getpid(), signal.SIGTERM)

        self._tasks[name] = asyncio.create_task(guarded(), name=name)

    async def faults(self) -> list[str]:
        """Why this service is not ready; empty when it is."""
        if not self.started or self.stopping:
            return ["stopping" if self.stopping else "starting"]
        found = []
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
        for name in ("boot", "sweep", "clock", "deadlines", "repair"):
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


def foreign_topics(name: str, handlers: Handlers) -> list[str]:
    """The topics of other services whose events are handled; nobody consumes its own."""
    topics = {topic_of(one.event_type) for one in handlers.types() if one.event_type}
    return sorted(topics - {topic_of(f"telar.{name}.x")})


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
