"""Parked keys: tried again, and what is missing asked for; what publishers say is compared."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

import structlog

from shared.chassis import metrics, parking, streams
from shared.chassis.clock import Clock
from shared.chassis.control import Ask, Heads, Message, outgoing
from shared.chassis.errors import Problem, Unavailable
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
EARLY = timedelta(seconds=2)
"""After so long it is asked again whether the topic was read as far as it must be."""

FORGET = 600.0
"""Seconds after which nobody waits any more for what was asked about."""

ANSWER_MOST = 500
"""Events that one ask can bring."""

DEFERRED_MOST = 200
"""Messages that wait until the topic was read as far; what is dropped is announced again daily."""

LISTENING, LISTEN_AGAIN = 1.0, 2.0
"""Seconds after which what was heard has had its turn, and until it is asked again who has read."""

log = structlog.get_logger("telar.repair")

Read = Mapping[Place, tuple[int, int]]
"""By partition of a topic how far it is read, and its end."""


class Progress:
    """Whether a group has read a topic as far as it went when that was first asked."""

    def __init__(self, bus: Bus, group: str) -> None:
        self._bus, self._group = bus, group
        self._wanted: OrderedDict[str, tuple[float, Mapping[Place, int]]] = OrderedDict()

    async def of(self, topic: str) -> Read:
        """How far it is read now: asked once for all who want to know."""
        return await self._bus.progress(self._group, topic)

    def is_enough(self, name: str, now: Read) -> bool:
        """Whether that is as far as the topic went when this name first asked.

        Until then what is missing may yet come by itself.
        """
        at = time.monotonic()
        while self._wanted and next(iter(self._wanted.values()))[0] < at - FORGET:
            self._wanted.popitem(last=False)  # who asked was released meanwhile
        _, wanted = self._wanted.pop(name, (at, None))
        wanted = wanted or _ends(now)
        if not _is_read(wanted, now):
            self._wanted[name] = at, wanted
            return False
        return True


def _ends(now: Read) -> Mapping[Place, int]:
    return {place: end for place, (_, end) in now.items()}


def _is_read(wanted: Mapping[Place, int], now: Read) -> bool:
    return all(noted >= min(wanted.get(place, 0), end) for place, (noted, end) in now.items())


@dataclass(slots=True, eq=False)
class Heard:
    """What a publisher said, and where its topic ended when that was first looked at."""

    message: Heads
    wanted: Mapping[Place, int] | None = None


class Repair:
    """What one consuming service does about its own gaps."""

    def __init__(self, group: str, store: Store, bus: Bus, clock: Clock, writer: Writer) -> None:
        self.group, self.store, self.bus, self.clock = group, store, bus, clock
        self.writer = writer
        self._progress = Progress(bus, group)
        self._heard: deque[Heard] = deque(maxlen=DEFERRED_MOST)
        self._listen_at = 0.0
        self._producer: Producer | None = None

    def hear(self, message: Heads) -> None:
        """Compare these soon."""
        self._heard.append(Heard(message))

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
        now = self.clock.now()
        due = await self.store.before(parking.COLLECTION, "next_attempt", now, 50)
        read = await self._read_so_far(due)
        for parked in due:
            await self._attend(parked, read.get(parked["topic"]))
        for why in ("gap", "failed", "dead", "fork"):
            waiting = await self.store.count(parking.COLLECTION, {"reason": why}, None)
            metrics.PARKED.labels(why).set(waiting)

    async def _read_so_far(self, due: Sequence[Document]) -> dict[str, Read]:
        """How far each topic with a gap is read: before anything is claimed, Kafka may be slow."""
        found: dict[str, Read] = {}
        for topic in {parked["topic"] for parked in due if parked["reason"] == "gap"}:
            with suppress(BusError):  # its gaps wait for Kafka; what failed in a handler does not
                found[topic] = await self._progress.of(topic)
        return found

    async def _attend(self, parked: Document, read: Read | None) -> None:
        """Claim one key from this moment on, and try it; a gap only once its topic was read."""
        is_gap, at = parked["reason"] == "gap", self.clock.now()
        is_early = is_gap and not self._has_read(parked, read)
        place = Instant(parking.COLLECTION, parked["_id"], "next_attempt")
        until = at + (EARLY if is_early else CLAIM)
        if not await self.store.move(place, parked["next_attempt"], until) or is_early:
            return
        if is_gap:
            try:
                await self._ask(parked)
            except BusError:
                await self.store.move(place, until, self.clock.now() + EARLY)
                raise
        cause = f"retry/{parked['_id']}/{at.isoformat()}"
        work = Drain(self._context(cause), parked["topic"], parked["key"])
        self.writer.submit([work])
        await asyncio.gather(work.future, return_exceptions=True)

    def _has_read(self, parked: Document, read: Read | None) -> bool:
        """Else what is missing may yet come by itself."""
        name = f"{parked['_id']}/{parked['since'].isoformat()}"  # of this gap, and no later one
        return read is not None and self._progress.is_enough(name, read)

    async def listen(self) -> None:
        """Compare the heads that were heard with our positions, once we have read as far.

        Each message waits for itself: in line each would wait for another second of traffic, and
        they would pile up. What is overtaken meanwhile is asked about, so not all go at one time.
        """
        if (began := time.monotonic()) < self._listen_at:
            return
        read: dict[str, Read] = {}
        for heard in list(self._heard):
            topic = heard.message.topic
            if topic not in read:  # once for all that were heard before
                read[topic] = await self._progress.of(topic)
            heard.wanted = heard.wanted or _ends(read[topic])
            if not _is_read(heard.wanted, read[topic]):
                self._listen_at = began + LISTEN_AGAIN
                continue
            try:
                await self._compare(heard.message)
            except Problem as problem:
                if not isinstance(problem, Unavailable):  # else, as after an outage, once more
                    self._forget(heard)
                raise
            self._forget(heard)
            if time.monotonic() > began + LISTENING:
                return

    def _forget(self, heard: Heard) -> None:
        with suppress(ValueError):  # more was heard meanwhile than is kept
            self._heard.remove(heard)

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

    async def _ask(self, parked: Document) -> None:
        """Ask for what is missing."""
        topic, key = parked["topic"], parked["key"]
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
