"""A topic read in stretches: no scan, and no answer made of one, takes longer than it may."""

from contextlib import aclosing
from time import monotonic

from shared.chassis.ports import Bus, Place, Record


async def stretch(
    bus: Bus, topic: str, starts: dict[Place, int], *, seconds: float, most: int
) -> tuple[list[Record], bool]:
    """Records from these offsets on, and whether they reach to where the topic ended.

    At most so many, of at most so many seconds; the offsets are moved to behind them.
    """
    until, read = monotonic() + seconds, list[Record]()
    async with aclosing(bus.scan(topic, starts)) as scan:
        async for found in scan:
            taken = found[: most - len(read)]
            read += taken
            starts |= {(one.topic, one.partition): one.offset + 1 for one in taken}
            if len(read) >= most or monotonic() > until:
                return read, False
    return read, True
