"""A publisher against its own topic: what Kafka lost is sent again, what we lost stops us.

Kafka ahead of the outbox: this database is an old backup. New events would take numbers that are
given, so the service refuses to serve until an operator decides. Kafka behind what it once
acknowledged (a lost tail, a topic made anew): everything since then is sent again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from shared.chassis import metrics, outbox, streams
from shared.chassis.clock import Clock
from shared.chassis.duties import Duties, Duty
from shared.chassis.envelope import Envelope, decode
from shared.chassis.errors import Malformed
from shared.chassis.ids import first_id
from shared.chassis.outbox import Publisher
from shared.chassis.ports import (
    Bus,
    BusError,
    Place,
    Record,
    Store,
    StoreError,
)

LOOK_BACK = 1000
"""Records at the end of each partition that are compared with the outbox."""

MARGIN = timedelta(minutes=2)
"""Records stand in the order of time but for so much."""

TAIL = "tail"
LOOK_EVERY = timedelta(seconds=30)
ASK_EVERY = 5.0
"""Seconds after which a process asks whether the look is its own now."""

log = structlog.get_logger("telar.tail")


class Tail:
    """The end of one publisher's topic."""

    def __init__(
        self,
        topic: str,
        store: Store,
        bus: Bus,
        publisher: Publisher,
        ensure: Callable[[], Awaitable[None]],
    ) -> None:
        self.topic, self.store, self.bus, self.publisher = topic, store, bus, publisher
        self.ensure = ensure

    async def run(self, clock: Clock, duties: Duties) -> None:
        """Look now and then whether the topic is there, with all that was acknowledged."""
        while True:
            await asyncio.sleep(ASK_EVERY)
            with suppress(StoreError):
                await self.publisher.ends.learn()
                if (duty := await duties.claim(TAIL)) is not None:
                    await self._look(duty)
                    await duty.done(clock.now() + LOOK_EVERY)

    async def _look(self, duty: Duty) -> None:
        with suppress(BusError):  # the next look is soon enough
            await self.ensure()
            await self.lost(duty)

    async def ahead(self) -> dict[str, Envelope]:
        """By key the last event in Kafka that our outbox does not know; empty when all is well."""
        starts = {
            place: end - LOOK_BACK for place, end in (await self.bus.ends(self.topic)).items()
        }
        last: dict[str, Envelope] = {}
        async for records in self.bus.scan(self.topic, starts):
            for _, event in events_of(records):
                if event.sequence >= last.get(event.key, event).sequence:
                    last[event.key] = event
        return await unknown(self.store, self.topic, last)

    async def lost(self, duty: Duty) -> bool:
        """Whether Kafka has less than it acknowledged; if so, send everything since then again.

        Raises `StoreError` if another process has taken that over.
        """
        noted = await self.publisher.ends.learn()  # before it is asked: the topic goes on growing
        ends = await self.bus.ends(self.topic)
        if not (cuts := await self.publisher.ends.cuts(noted, ends)):
            return False
        metrics.TAILS_LOST.inc(len(cuts))
        since = await self._survived({place: cut.at for place, cut in cuts.items()})
        log.error("tail.lost", topic=self.topic, partitions=len(cuts), since=str(since))
        sent = await self._send_since(since, duty)
        log.warning("tail.sent_again", topic=self.topic, events=sent)
        await self.publisher.ends.reset(await self.bus.ends(self.topic), cuts)
        return True

    async def _survived(self, cuts: Mapping[Place, int]) -> datetime | None:
        """The time of what is still there before the cuts; None where nothing is left."""
        times: dict[Place, datetime] = {}
        starts = {place: at - LOOK_BACK for place, at in cuts.items()}
        async for records in self.bus.scan(self.topic, starts, cuts):
            for record, event in events_of(records):
                place = record.topic, record.partition
                times[place] = max(event.at, times.get(place, event.at))
        return min(times.values()) - MARGIN if times.keys() >= cuts.keys() else None

    async def _send_since(self, since: datetime | None, duty: Duty) -> int:
        sent = 0
        async for page in outbox.since(self.store, first_id(since) if since else ""):
            events = [Envelope.from_document(event) for one in page for event in one["events"]]
            await self.publisher.send(events)
            if duty.runs_out:
                await duty.go_on()
            sent += len(events)
        metrics.RESENT.inc(sent)
        return sent


async def unknown(
    store: Store, topic: str, last: Mapping[str, Envelope], *, only_beyond: bool = False
) -> dict[str, Envelope]:
    """Those of these last events, by key, that our streams do not end with or have passed."""
    keys, found = list(last), dict[str, Envelope]()
    for start in range(0, len(keys), 500):
        there = await store.some(streams.COLLECTION, keys[start : start + 500])
        for key in keys[start : start + 500]:
            ours, digest = streams.head(there.get(key) or streams.fresh(key), topic)
            event = last[key]
            other = event.sequence == ours and event.digest != digest
            if event.sequence > ours or (other and not only_beyond):
                found[key] = event
    return found


def events_of(records: list[Record]) -> list[tuple[Record, Envelope]]:
    """The records that are events, decoded."""
    found = []
    for record in records:
        with suppress(Malformed):  # whatever it is, it is none of ours
            found.append((record, decode(record)))
    return found
