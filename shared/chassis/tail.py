"""A publisher against its own topic: what Kafka lost is sent again, what we lost stops us.

Kafka ahead of the outbox: this database is an old backup. New events would take numbers that are
given, so the service refuses to serve until an operator decides. Kafka behind what it once
acknowledged (a lost tail, a topic made anew): everything since then is sent again.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta

import structlog

from shared.chassis import metrics, streams
from shared.chassis.clock import Clock
from shared.chassis.duties import Duties
from shared.chassis.envelope import Envelope, decode
from shared.chassis.errors import Malformed
from shared.chassis.heads import first_id
from shared.chassis.outbox import COLLECTION as OUTBOX
from shared.chassis.outbox import Publisher
from shared.chassis.ports import (
    Bus,
    BusError,
    Conflict,
    Document,
    Place,
    Put,
    Record,
    Store,
    StoreError,
)

COLLECTION = "acknowledged"

LOOK_BACK = 1000
"""Records at the end of each partition that are compared with the outbox."""

MARGIN = timedelta(minutes=2)
"""Records stand in the order of time but for so much."""

TAIL = "tail"
NOTE_EVERY, LOOK_EVERY = 5.0, timedelta(seconds=30)

_COMMITS = 200

log = structlog.get_logger("telar.tail")


class Tail:
    """The end of one publisher's topic."""

    def __init__(self, topic: str, store: Store, bus: Bus, publisher: Publisher) -> None:
        self.topic, self.store, self.bus, self.publisher = topic, store, bus, publisher

    async def run(self, clock: Clock, duties: Duties) -> None:
        """Note what was acknowledged, and look now and then whether it is still there."""
        while True:
            await asyncio.sleep(NOTE_EVERY)
            with suppress(StoreError, BusError):
                await self.note()
                if (duty := await duties.claim(TAIL)) is not None:
                    await self.lost()
                    await duties.done(duty, clock.now() + LOOK_EVERY)

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

    async def note(self) -> None:
        """Keep the ends that Kafka acknowledged, so that a loss can be seen later."""
        ends = dict(self.publisher.acknowledged)
        self.publisher.acknowledged.clear()
        if ends:
            await self._write(ends, lower=False)

    async def lost(self) -> bool:
        """Whether Kafka has less than it acknowledged; if so, send everything since then again."""
        ends = await self.bus.ends(self.topic)
        noted = await self.store.some(COLLECTION, [_id(place) for place in ends])
        short = [
            place for place, end in ends.items() if end < noted.get(_id(place), {"next": 0})["next"]
        ]
        if not short:
            return False
        metrics.TAILS_LOST.inc(len(short))
        since = await self._survived(short, ends)
        log.error("tail.lost", topic=self.topic, partitions=len(short), since=str(since))
        sent = await self._send_since(since)
        log.warning("tail.sent_again", topic=self.topic, events=sent)
        await self._write(await self.bus.ends(self.topic), lower=True)
        return True

    async def _survived(self, short: list[Place], ends: Mapping[Place, int]) -> datetime | None:
        """The time of what is still there at the end; None where nothing is left."""
        times: dict[Place, datetime] = {}
        starts = {place: end - LOOK_BACK if place in short else end for place, end in ends.items()}
        async for records in self.bus.scan(self.topic, starts):
            for record, event in events_of(records):
                place = record.topic, record.partition
                times[place] = max(event.at, times.get(place, event.at))
        return min(times.values()) - MARGIN if times.keys() >= set(short) else None

    async def _send_since(self, since: datetime | None) -> int:
        after, sent = first_id(since) if since else "", 0
        while page := await self.store.page(
            OUTBOX, {}, sort="_id", after=(after, after), limit=_COMMITS
        ):
            after = page[-1]["_id"]
            events = [Envelope.from_document(event) for one in page for event in one["events"]]
            await self.publisher.send(events)
            sent += len(events)
        metrics.RESENT.inc(sent)
        return sent

    async def _write(self, ends: Mapping[Place, int], *, lower: bool) -> None:
        ids = {_id(place): end for place, end in ends.items()}
        try:
            async with self.store.transaction() as transaction:
                there = (await transaction.load({COLLECTION: list(ids)})).get(COLLECTION, {})
                writes = [
                    Put(COLLECTION, _noted(doc_id, end, there.get(doc_id)), _was(there.get(doc_id)))
                    for doc_id, end in ids.items()
                    if lower or end > there.get(doc_id, {"next": 0})["next"]
                ]
                if writes:
                    await transaction.write(writes)
                    await transaction.commit()
        except Conflict:
            return  # another process notes them too


async def unknown(store: Store, topic: str, last: Mapping[str, Envelope]) -> dict[str, Envelope]:
    """Those of these last events, by key, that our streams do not end with or have passed."""
    keys, found = list(last), dict[str, Envelope]()
    for start in range(0, len(keys), 500):
        there = await store.some(streams.COLLECTION, keys[start : start + 500])
        for key in keys[start : start + 500]:
            ours, digest = streams.head(there.get(key) or streams.fresh(key), topic)
            event = last[key]
            if event.sequence > ours or (event.sequence == ours and event.digest != digest):
                found[key] = event
    return found


def events_of(records: list[Record]) -> list[tuple[Record, Envelope]]:
    """The records that are events, decoded."""
    found = []
    for record in records:
        with suppress(Malformed):  # whatever it is, it is none of ours
            found.append((record, decode(record)))
    return found


def _id(place: Place) -> str:
    return f"{place[0]}/{place[1]}"


def _noted(doc_id: str, end: int, there: Document | None) -> Document:
    return {"_id": doc_id, "version": (_was(there) or 0) + 1, "next": end}


def _was(document: Document | None) -> int | None:
    return document["version"] if document else None
