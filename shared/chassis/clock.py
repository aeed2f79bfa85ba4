"""Time is the database's clock: every replica of a service then has the same.

Between two questions to the database it is carried on by the monotonic clock: whoever sets the
clock of this machine moves no deadline and no claim.
"""

import asyncio
import time
from datetime import UTC, datetime

from shared.chassis import metrics
from shared.chassis.ports import Store, StoreError

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""An instant that does not come."""

MOST_SKEW = 2.0
"""Seconds that this machine may be off before the replica is not ready."""

LONGEST_TRIP = 1.0
"""Seconds of a round trip beyond which its answer says too little of the instant between."""


class Clock:
    """The database's time, kept by its offset from this machine's monotonic clock."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._zero = time.time() - time.monotonic()
        self._is_synced = False
        self.skew = 0.0

    def now(self) -> datetime:
        """The instant, UTC, in whole milliseconds (what MongoDB keeps)."""
        at = datetime.fromtimestamp(self._zero + time.monotonic(), UTC)
        return at.replace(microsecond=at.microsecond // 1000 * 1000)

    async def sync(self) -> None:
        """Ask the database once; half the round trip is taken as the way back."""
        before = time.monotonic()
        there = await self._store.time()
        after = time.monotonic()
        if self._is_synced and after - before > LONGEST_TRIP:
            return
        self._zero, self._is_synced = there.timestamp() - (before + after) / 2, True
        self.skew = self._zero + after - time.time()
        metrics.CLOCK_SKEW.set(self.skew)

    @property
    def trusted(self) -> bool:
        """Whether this machine is near enough to the database's clock."""
        return abs(self.skew) <= MOST_SKEW

    async def run(self, every: float = 10.0) -> None:
        """Ask again and again; an outage of the database is not the clock's to report."""
        while True:
            await asyncio.sleep(every)
            try:
                await self.sync()
            except StoreError:  # /readyz says so
                continue
