"""What runs beside the writer: deadlines, retries of parked keys, and asking for missing events."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import orjson
import structlog

from shared.chassis import metrics, parking
from shared.chassis.clock import Clock
from shared.chassis.consumer import CONTROL, Intake
from shared.chassis.envelope import Envelope, topic_of
from shared.chassis.errors import Problem
from shared.chassis.outbox import Publisher
from shared.chassis.ports import Bus, BusError, Outgoing, Producer, Record, Store, StoreError
from shared.chassis.work import Drain, TickWork
from shared.chassis.writer import Writer
from shared.model import Aggregate, Context

CLAIM = timedelta(seconds=30)
ASK_AGAIN = 30.0
ANSWER_MOST = 500

log = structlog.get_logger("telar.repair")


class Deadlines:
    """Sends a `Tick` to every aggregate whose `due` has come; every replica looks."""

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
        works = []
        for document in await self.store.before(aggregate.name, "due", at, 100):
            doc_id, due = document["_id"], document["due"]
            if await self.store.move(aggregate.name, doc_id, "due", due, at + CLAIM):
                cause = f"tick/{aggregate.name}/{doc_id}/{due.isoformat()}"
                context = Context(at=at, actor="clock", cause=cause, correlation=cause)
                works.append(TickWork(context, aggregate, doc_id))
        if works:
            self.writer.submit(works)
            await asyncio.gather(*(work.future for work in works), return_exceptions=True)
            metrics.TICKS.labels(aggregate.name).inc(len(works))
        return len(works)


class Repair:
    """Retries parked keys, asks for what is missing, and answers when asked."""

    def __init__(self, name: str, store: Store, bus: Bus, clock: Clock, writer: Writer) -> None:
        self.name, self.store, self.bus, self.clock = name, store, bus, clock
        self.writer = writer
        self.publisher: Publisher | None = None
        self.intake: Intake | None = None
        self._producer: Producer | None = None
        self._answered: OrderedDict[tuple[str, int], float] = OrderedDict()

    async def run(self, every: float = 0.5) -> None:
        """Look at what is parked a few times a second."""
        while True:
            await asyncio.sleep(every)
            try:
                await self.look()
            except (StoreError, BusError, Problem):
                continue

    async def look(self) -> None:
        """Retry or ask for each parked key whose next attempt has come."""
        at = self.clock.now()
        for parked in await self.store.before(parking.COLLECTION, "next_attempt", at, 50):
            was, doc_id = parked["next_attempt"], parked["_id"]
            if not await self.store.move(
                parking.COLLECTION, doc_id, "next_attempt", was, at + CLAIM
            ):
                continue
            if parked["reason"] == "gap":
                await self._ask(parked)
            cause = f"retry/{doc_id}/{at.isoformat()}"
            context = Context(at=at, actor="service", cause=cause, correlation=cause)
            work = Drain(context, parked["topic"], parked["key"])
            self.writer.submit([work])
            await asyncio.gather(work.future, return_exceptions=True)
        for why in ("gap", "failed", "dead"):
            waiting = await self.store.count(parking.COLLECTION, {"reason": why}, None)
            metrics.PARKED.labels(why).set(waiting)

    async def _ask(self, parked: dict[str, Any]) -> None:
        topic, key = parked["topic"], parked["key"]
        if self.intake is not None and self.intake.lags(topic):
            return
        stream = await self.store.get("streams", key) or {"in": {}}
        position = stream["in"].get(parked["_id"].split("/")[0], (0, ""))[0]
        first = parked["events"][0]["sequence"] if parked["events"] else position + ANSWER_MOST
        ask = {"kind": "ask", "topic": topic, "key": key, "from": position + 1, "to": first}
        record = Outgoing(CONTROL, f"{topic}/{key}".encode(), orjson.dumps(ask))
        if self._producer is None:
            self._producer = await self.bus.producer()
        await self._producer.send([record], 5.0)
        metrics.GAPS_ASKED.labels(topic).inc()
        log.warning("gap.asked", topic=topic, first=position + 1, last=first)

    async def answer(self, record: Record) -> None:
        """An ask on `telar.control`: if it is for our topic, send those events again."""
        try:
            ask = orjson.loads(record.value or b"")
            topic, key = str(ask["topic"]), str(ask["key"])
            first, last = int(ask["from"]), int(ask["to"])
        except (ValueError, KeyError, TypeError):
            return  # anybody may write rubbish there
        mine = topic_of(f"telar.{self.name}.x") == topic
        if not mine or self.publisher is None or self._merged(key, first):
            return
        documents = await self.store.resend(topic, key, first, last, ANSWER_MOST)
        await self.publisher.send([Envelope.from_document(event) for event in documents])
        metrics.RESENT.inc(len(documents))

    def _merged(self, key: str, first: int) -> bool:
        """Whether the same was answered within the last half minute."""
        now = time.monotonic()
        while self._answered and next(iter(self._answered.values())) < now - ASK_AGAIN:
            self._answered.popitem(last=False)
        if (key, first) in self._answered:
            return True
        self._answered[key, first] = now
        return False

    async def close(self, deadline: float) -> None:
        """Let the producer go."""
        if self._producer is not None:
            await self._producer.close(deadline)
