"""What one process of a service does for all: claimed by moving an instant, no leader, no lock."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from shared.chassis.clock import Clock
from shared.chassis.ports import Conflict, Document, Instant, Put, Store, StoreError

COLLECTION = "duties"

CLAIM = timedelta(seconds=60)
"""Whoever claims a duty has so long; then another process takes it over."""


class Duties:
    """The recurring work of one service."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    async def ensure(self, *names: str) -> None:
        """Make those that are new; they are due at once."""
        there = await self._store.some(COLLECTION, names)
        for name in names:
            if name not in there:
                await self._make({"_id": name, "version": 1, "at": self._clock.now()})

    async def _make(self, duty: Document) -> None:
        try:
            async with self._store.transaction() as transaction:
                await transaction.write([Put(COLLECTION, duty)])
                await transaction.commit()
        except Conflict:
            await asyncio.sleep(0)  # another process was first

    async def claim(self, name: str) -> "Duty | None":
        """The duty if it is due and now ours."""
        now = self._clock.now()
        document = await self._store.get(COLLECTION, name)
        if document is None or document["at"] > now:
            return None
        duty = Duty(self._store, self._clock, document)
        return duty if await duty.moved(now + CLAIM) else None


class Duty:
    """A duty that is ours until its claim runs out. `noted` is what who did it last has left."""

    def __init__(self, store: Store, clock: Clock, noted: Document) -> None:
        self._store, self._clock, self.noted = store, clock, noted

    @property
    def runs_out(self) -> bool:
        """Whether half of the claim is over."""
        return self._clock.now() >= self.noted["at"] - CLAIM / 2

    async def go_on(self, **note: Any) -> None:
        """Claim it for longer; `StoreError` if another process has taken it over."""
        if not await self.moved(self._clock.now() + CLAIM, **note):
            raise StoreError("another process has taken over")

    async def done(self, again: datetime, **note: Any) -> None:
        """It is done, and due again then; `note` is for whoever does it next."""
        await self.moved(again, **note)

    async def moved(self, to: datetime, **note: Any) -> bool:
        """Its instant is this one now, unless another process has moved it."""
        place = Instant(COLLECTION, self.noted["_id"], "at")
        if not await self._store.move(place, self.noted["at"], to, note):
            return False
        self.noted = {**self.noted, **note, "at": to}
        return True
