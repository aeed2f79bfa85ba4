"""A publisher restored from an old backup takes over what Kafka knows of its streams."""

from collections.abc import Mapping
from datetime import datetime

from shared.chassis import streams
from shared.chassis.envelope import Envelope
from shared.chassis.ids import new_id
from shared.chassis.outbox import COLLECTION as OUTBOX
from shared.chassis.ports import Bus, Document, Put, Store
from shared.chassis.tail import events_of, unknown
from shared.model import Frozen


class Adopted(Frozen):
    """How many keys go on behind Kafka's last event, and how many events that were unknown."""

    keys: int
    events: int


async def adopt_topic(topic: str, store: Store, bus: Bus, *, serving: bool = False) -> Adopted:
    """Go on behind Kafka's last events, so that no number is given twice.

    The states know nothing of those events; they are kept in the outbox, to be sent again. The keys
    are taken over in the order of their last records: the start looks at the end of the topic, and
    sees that something is left until nothing is. Who serves keeps what it gave under a number.
    """
    by_key: dict[str, dict[int, Envelope]] = {}
    last: dict[str, Envelope] = {}
    left: dict[str, int] = {}
    ends = await bus.ends(topic)
    async for records in bus.scan(topic):
        for record, event in events_of(records):
            by_key.setdefault(event.key, {})[event.sequence] = event
            if event.sequence >= last.get(event.key, event).sequence:
                last[event.key] = event
                left[event.key] = ends[record.topic, record.partition] - record.offset
    newer = await unknown(store, topic, last, only_beyond=serving)
    taken = [
        await _take_over(store, last[key], by_key[key])
        for key in sorted(newer, key=left.__getitem__, reverse=True)
    ]
    return Adopted(keys=len(newer), events=sum(taken))


async def _take_over(store: Store, last: Envelope, events: Mapping[int, Envelope]) -> int:
    at = await store.time()
    async with store.transaction() as transaction:
        loaded = await transaction.load({streams.COLLECTION: [last.key]})
        was = loaded.get(streams.COLLECTION, {}).get(last.key)
        stream, version = was or streams.fresh(last.key), was["version"] if was else None
        ours, digest = streams.head(stream, last.topic)
        if ours > last.sequence or (ours, digest) == (last.sequence, last.digest):
            return 0  # another process adopts too, and was first
        kept = [one for number, one in sorted(events.items()) if number > ours] or [last]
        moved = streams.take_over(stream, last.topic, last.sequence, last.digest)
        stream_put = Put(streams.COLLECTION, {**moved, "version": (version or 0) + 1}, version)
        await transaction.write([stream_put, Put(OUTBOX, _taken(kept, at))])
        await transaction.commit()
    return len(kept)


def _taken(events: list[Envelope], at: datetime) -> Document:
    """As a commit of now whose events were sent."""
    return {
        "_id": new_id(at),
        "at": events[0].at,
        "events": [event.to_document() for event in events],
    }
