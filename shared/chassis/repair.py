"""Parked keys: tried again, and what is missing asked for; what publishers say is compared."""

import asyncio
from collections import deque
from datetime import timedelta

import structlog

from shared.chassis import metrics, parking, streams
from shared.chassis.clock import Clock
from shared.chassis.control import Ask, Heads, Message, outgoing
from shared.chassis.errors import Problem
from shared.chassis.mending import Drain, Hear
from shared.chassis.ports import (
    Bus,
    BusError,
    Document,
    Instant,
    Place,
    Producer,
    Store,
    StoreError,
)
from shared.chassis.writer import Writer
from shared.model import Context

CLAIM = timedelta(seconds=30)
ANSWER_MOST = 500
"""Events that one ask can bring."""

DEFERRED_MOST = 200
"""Messages that wait until the topic was read as far; what is dropped is announced again daily."""

log = structlog.get_logger("telar.repair")


class Progress:
    """Whether a group has read a topic as far as it went when that was first asked."""

    def __init__(self, bus: Bus, group: str) -> None:
        self._bus, self._group = bus, group
        self._wanted: dict[str, dict[Place, int]] = {}

    async def reached(self, name: str, topic: str) -> bool:
        """Until then what is missing may yet come by itself."""
        now = await self._bus.progress(self._group, topic)
        ends = {place: end for place, (_, end) in now.items()}
        wanted = self._wanted.setdefault(name, ends)
        if any(noted < min(wanted.get(place, 0), end) for place, (noted, end) in now.items()):
            return False
        del self._wanted[name]
        return True


class Repair:
    """What one consuming service does about its own gaps."""

    def __init__(self, group: str, store: Store, bus: Bus, clock: Clock, writer: Writer) -> None:
        self.group, self.store, self.bus, self.clock = group, store, bus, clock
        self.writer = writer
        self._progress = Progress(bus, group)
        self._heard: deque[tuple[int, Heads]] = deque(maxlen=DEFERRED_MOST)
        self._count = 0
        self._producer: Producer | None = None

    def hear(self, message: Heads) -> None:
        """Compare these soon."""
        self._count += 1
        self._heard.append((self._count, message))

    async def run(self, every: float = 0.5) -> None:
        """Look at what is parked and what was heard a few times a second."""
        while True:
            await asyncio.sleep(every)
            try:
                await self.look()
                await self.listen()
            except (StoreError, BusError, Problem):
                continue

    async def look(self) -> None:
        """Retry or ask for each parked key whose next attempt has come."""
        at = self.clock.now()
        for parked in await self.store.before(parking.COLLECTION, "next_attempt", at, 50):
            place = Instant(parking.COLLECTION, parked["_id"], "next_attempt")
            if not await self.store.move(place, parked["next_attempt"], at + CLAIM):
                continue
            if parked["reason"] == "gap" and not await self._ask(parked):
                await self.store.move(place, at + CLAIM, at + timedelta(seconds=2))
                continue
            cause = f"retry/{parked['_id']}/{at.isoformat()}"
            work = Drain(self._context(cause), parked["topic"], parked["key"])
            self.writer.submit([work])
            await asyncio.gather(work.future, return_exceptions=True)
        for why in ("gap", "failed", "dead", "fork"):
            waiting = await self.store.count(parking.COLLECTION, {"reason": why}, None)
            metrics.PARKED.labels(why).set(waiting)

    async def listen(self) -> None:
        """Compare the heads that were heard with our positions, once we have read as far."""
        while self._heard:
            number, message = self._heard[0]
            if not await self._progress.reached(f"heard/{number}", message.topic):
                return
            if self._heard and self._heard[0][0] == number:
                self._heard.popleft()
            await self._compare(message)

    async def _compare(self, message: Heads) -> None:
        there = await self.store.some(streams.COLLECTION, [head.key for head in message.heads])
        works = []
        for head in message.heads:
            stream = there.get(head.key) or streams.fresh(head.key)
            level = streams.applied(stream, message.topic) == (head.sequence, head.digest)
            if message.asked is None and level and not streams.is_parked(stream, message.topic):
                continue
            context = self._context(f"head/{message.topic}/{head.key}/{head.sequence}")
            works.append(Hear(context, message.topic, head, message.asked))
        self.writer.submit(works)
        for work in works:
            if await work.future == "ahead" and message.asked is None:
                await self._doubt(message.topic, work.head.key)

    async def _doubt(self, topic: str, key: str) -> None:
        """The publisher seems to know less than we do: ask where it is."""
        position, _ = await self._position(topic, key)
        await self._send(
            Ask(
                at=self.clock.now(),
                topic=topic,
                key=key,
                first=position + 1,
                last=position,
                known=position,
            )
        )

    async def _ask(self, parked: Document) -> bool:
        """Ask for what is missing; False while it may yet come by itself."""
        topic, key = parked["topic"], parked["key"]
        if not await self._progress.reached(parked["_id"], topic):
            return False
        position, _ = await self._position(topic, key)
        held = parked["events"]
        last = held[0]["sequence"] - 1 if held else position + ANSWER_MOST
        known = max(position, parked["known"])
        await self._send(
            Ask(
                at=self.clock.now(),
                topic=topic,
                key=key,
                first=position + 1,
                last=last,
                known=known,
            )
        )
        metrics.GAPS_ASKED.labels(topic).inc()
        log.warning("gap.asked", topic=topic, first=position + 1, last=last)
        return True

    async def _position(self, topic: str, key: str) -> tuple[int, str]:
        stream = await self.store.get(streams.COLLECTION, key) or streams.fresh(key)
        return streams.applied(stream, topic)

    async def _send(self, message: Message) -> None:
        if self._producer is None:
            self._producer = await self.bus.producer()
        await self._producer.send([outgoing(message)], 5.0)

    def _context(self, cause: str) -> Context:
        return Context(at=self.clock.now(), actor="service", cause=cause, correlation=cause)

    async def close(self, deadline: float) -> None:
        """Let the producer go."""
        if self._producer is not None:
            await self._producer.close(deadline)
