"""Time is the database's clock: every replica of a service then has the same."""

import asyncio
import time
from datetime import UTC, datetime

from shared.chassis import metrics
from shared.chassis.ports import Store, StoreError

MOST_SKEW = 2.0
"""Seconds that this machine may be off before the replica is not ready."""


class Clock:
    """The database's time, carried on by this machine's monotonic clock: no jump moves it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._start = time.time() - time.monotonic()
        self.skew = 0.0

    def now(self) -> datetime:
        """The instant, UTC, in whole milliseconds (what MongoDB keeps)."""
        at = datetime.fromtimestamp(time.monotonic() + self._start, UTC)
        return at.replace(microsecond=at.microsecond // 1000 * 1000)

    async def sync(self) -> None:
        """Ask the database once; half the round trip is taken as the way back."""
        before = time.monotonic()
        there = (await self._store.time()).timestamp()
        middle = (before + time.monotonic()) / 2
        self._start = there - middle
        self.skew = self.now().timestamp() - time.time()
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
