"""What stands at an offset: in a topic that was made anew, that is something else.

Offsets say nothing beyond their topic, and no client here is told a topic's id.
"""

from contextlib import aclosing
from hashlib import sha256

from shared.chassis.ports import Bus, Place

NOTHING = ""
"""The mark of an offset that the partition does not reach."""


async def mark(bus: Bus, place: Place, offset: int) -> str:
    """Of the last record before this offset: its offset, Kafka's time of it, and its hash."""
    ends = await bus.ends(place[0])
    if ends.get(place, 0) < offset:
        return NOTHING
    starts = {**ends, place: offset - 1}
    async with aclosing(bus.scan(place[0], starts)) as found:
        async for records in found:
            for record in records:
                if (record.topic, record.partition) == place:
                    digest = sha256(record.value or b"").hexdigest()
                    return f"{record.offset}/{record.timestamp_ms}/{digest}"
    return NOTHING
