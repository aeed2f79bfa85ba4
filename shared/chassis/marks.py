"""What stands at an offset: in a topic that was made anew, that is something else.

Offsets say nothing beyond their topic, and no client here is told a topic's id.
"""

from hashlib import sha256

from shared.chassis.ports import Bus, Place

NOTHING = ""
"""The mark of an offset that the partition does not reach."""


async def mark(bus: Bus, place: Place, offset: int) -> str:
    """Of the record before this offset: its offset, Kafka's time of it, and its hash."""
    stood = NOTHING
    async for records in bus.scan(place[0], {place: offset - 1}, {place: offset}):
        for one in records:
            digest = sha256(one.value or b"").hexdigest()
            stood = f"{one.offset}/{one.timestamp_ms}/{digest}"
    return stood
