"""Ids of commits: UUIDv7s of the database's time, so that the outbox is read in their order."""

import time
from datetime import datetime
from secrets import token_bytes
from uuid import UUID


def new_id(at: datetime) -> str:
    """A UUIDv7 of this instant of the database's time: the outbox is read in the order of its ids.

    By the clock of a machine that is off it would lie where nobody looks for it any more. Of two
    in one millisecond the later is the higher: the monotonic clock comes before what is random.
    """
    now, chance = int(time.monotonic() * 1e9) % (1 << 44), int.from_bytes(token_bytes(4)) >> 2
    return _uuid7(at, now << 30 | chance)


def first_id(at: datetime) -> str:
    """The lowest id of an instant."""
    return _uuid7(at, 0)


def _uuid7(at: datetime, tail: int) -> str:
    """A UUIDv7 of this millisecond with these 74 bits behind it."""
    high, low = divmod(tail, 1 << 62)
    return str(UUID(int=int(at.timestamp() * 1000) << 80 | 7 << 76 | high << 64 | 2 << 62 | low))
