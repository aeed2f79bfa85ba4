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

    async def claim(self, name: str) -> Document | None:
        """The duty if it is due and now ours, with the instant of the claim as `at`."""
        now = self._clock.now()
        duty = await self._store.get(COLLECTION, name)
        if duty is None or duty["at"] > now:
            return None
        mine = await self._store.move(self._place(name), duty["at"], now + CLAIM)
        return {**duty, "at": now + CLAIM} if mine else None

    def runs_out(self, duty: Document) -> bool:
        """Whether half of the claim is over."""
        return self._clock.now() >= duty["at"] - CLAIM / 2

    async def go_on(self, duty: Document, **note: Any) -> Document:
        """Claim it for longer; `StoreError` if another process has taken it over."""
        to = self._clock.now() + CLAIM
        if not await self._store.move(self._place(duty["_id"]), duty["at"], to, note):
            raise StoreError("another process has taken over")
        return {**duty, **note, "at": to}

    async def done(self, duty: Document, again: datetime, **note: Any) -> None:
        """It is done, and due again then; `note` is for whoever does it next."""
        await self._store.move(self._place(duty["_id"]), duty["at"], again, note)

    @staticmethod
    def _place(name: str) -> Instant:
        return Instant(COLLECTION, name, "at")


class Claim:
    """A duty that is ours, for as long as its work takes."""

    def __init__(self, duties: Duties, duty: Document) -> None:
        self._duties, self.duty = duties, duty

    async def renew(self) -> None:
        """Claim it for longer once half is over; `StoreError` if another has taken it over."""
        if self._duties.runs_out(self.duty):
            self.duty = await self._duties.go_on(self.duty)
