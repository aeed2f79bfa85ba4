"""Where own streams end: announced to every subscriber, and answered to whoever asks.

A head above a subscriber's position is a gap like any other, so that a lost last event of a
quiet key is found too; one below it means that the publisher has lost what it once said.
"""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from datetime import timedelta

import structlog

from shared.chassis import metrics, outbox, streams
from shared.chassis.clock import Clock
from shared.chassis.control import MOST_HEADS, Ask, Head, Heads, outgoing
from shared.chassis.duties import Duties, Duty
from shared.chassis.envelope import Envelope
from shared.chassis.errors import Problem
from shared.chassis.ids import first_id
from shared.chassis.outbox import Publisher
from shared.chassis.ports import BusError, Document, Store, StoreError
from shared.chassis.repair import ANSWER_MOST

RECENT, ALL = "heads-recent", "heads-all"
"""The two duties: keys changed since the last time, and every key."""

EVERY, EVERY_ALL = timedelta(minutes=1), timedelta(days=1)
QUIET = timedelta(seconds=10)
"""Of a key that changes now the next event itself shows a gap."""

OVERLAP = timedelta(seconds=60)
"""An outbox document may become visible so long after its id was made."""

ASK_AGAIN = 30.0
"""The same ask is answered once in so many seconds."""

_ASKS, _MOST_KEYS = 1000, 20_000
_SHOWN = ("at", "events.key", "events.sequence")

log = structlog.get_logger("telar.heads")


class Announcer:
    """Says where the streams of one topic end."""

    def __init__(
        self, topic: str, store: Store, clock: Clock, publisher: Publisher, duties: Duties
    ) -> None:
        self.topic, self.store, self.clock = topic, store, clock
        self.publisher, self.duties = publisher, duties
        self._asks: deque[Ask] = deque(maxlen=_ASKS)
        self._answered: OrderedDict[tuple[str, int, int], float] = OrderedDict()

    def asked(self, ask: Ask) -> None:
        """Answer this soon; what is dropped here is asked again."""
        if ask.topic == self.topic and self.clock.now() - ask.at < timedelta(minutes=2):
            self._asks.append(ask)

    async def run(self, every: float = 0.25) -> None:
        """Answer, and announce when it is time."""
        while True:
            await asyncio.sleep(every)
            try:
                await self.look()
            except (StoreError, BusError, Problem):
                continue

    async def look(self) -> None:
        """Do what is due now."""
        for _ in range(len(self._asks)):
            ask = self._asks.popleft()
            try:
                await self._answer(ask)
            except (StoreError, BusError):
                self.asked(ask)  # else its repeats would pass for answered
                raise
        if (duty := await self.duties.claim(RECENT)) is not None:
            await self._recent(duty)
        if (duty := await self.duties.claim(ALL)) is not None:
            await self._all(duty)

    async def _answer(self, ask: Ask) -> None:
        if self._was_answered(ask):
            return
        last = min(ask.last, ask.first + ANSWER_MOST - 1)
        found = await self.store.resend(self.topic, ask.key, ask.first, last, ANSWER_MOST)
        if found:
            await self.publisher.send([Envelope.from_document(event) for event in found])
            metrics.RESENT.inc(len(found))
        stream = await self.store.get(streams.COLLECTION, ask.key) or streams.fresh(ask.key)
        await self._say([_head(ask.key, streams.head(stream, self.topic))], asked=ask.known)
        self._answered[ask.key, ask.first, ask.known] = time.monotonic()

    def _was_answered(self, ask: Ask) -> bool:
        """Whether the same was answered within the last half minute."""
        now = time.monotonic()
        while self._answered and next(iter(self._answered.values())) < now - ASK_AGAIN:
            self._answered.popitem(last=False)
        return (ask.key, ask.first, ask.known) in self._answered

    async def _recent(self, duty: Duty) -> None:
        """The heads of keys that changed since the last time and are quiet now."""
        upto = self.clock.now() - QUIET
        since = duty.noted.get("since", upto - EVERY)
        changed: dict[str, int] = {}
        busy: set[str] = set()
        after = first_id(since - OVERLAP)
        async for page in outbox.since(self.store, after, shown=_SHOWN):
            busy |= {each["key"] for one in page if one["at"] > upto for each in one["events"]}
            for event in (each for one in page for each in one["events"]):
                # Not the last one: the order of commits is that of their processes' clocks.
                changed[event["key"]] = max(event["sequence"], changed.get(event["key"], 0))
            # After a long outage all this takes longer than a claim: what is said stays said.
            if len(changed) > _MOST_KEYS or duty.runs_out:
                await self._say_all(changed, busy)
                changed.clear()
                await duty.go_on(since=min(page[-1]["at"], upto))
        await self._say_all(changed, busy)
        await duty.done(self.clock.now() + EVERY, since=upto)

    async def _say_all(self, changed: Mapping[str, int], busy: set[str]) -> None:
        quiet = [key for key in changed if key not in busy]
        for start in range(0, len(quiet), MOST_HEADS):
            keys = quiet[start : start + MOST_HEADS]
            there = await self.store.some(streams.COLLECTION, keys)
            heads = self._heads(there.values())
            # What goes further by now may not be in Kafka yet: it changes, and is not quiet.
            await self._say([head for head in heads if head.sequence <= changed[head.key]])

    async def _all(self, duty: Duty) -> None:
        """The heads of the next few hundred keys of all, and after the last one a day's rest."""
        after = duty.noted.get("after")
        found = await self.store.page(
            streams.COLLECTION,
            {},
            sort="_id",
            after=(after, after) if after else None,
            limit=MOST_HEADS,
        )
        await self._say(self._heads(found))
        is_last = len(found) < MOST_HEADS
        again = self.clock.now() + (EVERY_ALL if is_last else timedelta(seconds=1))
        await duty.done(again, after=None if is_last else found[-1]["_id"])

    def _heads(self, found: Iterable[Document]) -> list[Head]:
        """Of these streams, those that have an end here."""
        places = [(one["_id"], streams.head(one, self.topic)) for one in found]
        return [_head(key, place) for key, place in places if place[0]]

    async def _say(self, heads: list[Head], asked: int | None = None) -> None:
        if heads:
            said = Heads(at=self.clock.now(), topic=self.topic, asked=asked, heads=tuple(heads))
            await self.publisher.say(outgoing(said))
            metrics.HEADS_SAID.inc(len(heads))


def _head(key: str, place: tuple[int, str]) -> Head:
    return Head(key=key, sequence=place[0], digest=place[1])
