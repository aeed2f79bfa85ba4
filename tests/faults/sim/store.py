"""A replica set for one service: `MemoryStore`, with time, failovers and clients that die."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from shared.chassis.memory.documents import matches, order
from shared.chassis.memory.faults import Faults
from shared.chassis.memory.store import Data, MemoryStore
from shared.chassis.memory.transaction import Alive, Key, MemoryTransaction
from shared.chassis.ports import (
    Conflict,
    Document,
    Loaded,
    Put,
    StoreUnavailable,
    Write,
)
from tests.faults.sim.loop import PROCESS
from tests.faults.sim.wire import Wire
from tests.faults.sim.world import EPOCH, World

LIFETIME = 20.0
"""Seconds for which a server keeps a transaction whose client says nothing (its default is 60)."""


def copied(value: Any) -> Any:
    """A copy of what is stored: it was made plain when it was written."""
    if isinstance(value, dict):
        return {
            name: copied(inner) if type(inner) in _NESTED else inner
            for name, inner in value.items()
        }
    return [copied(inner) if type(inner) in _NESTED else inner for inner in value]


_NESTED = (dict, list)


class SimTransaction(MemoryTransaction):
    """Aborted by the server when its client dies, stays silent, or the primary goes."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        assert isinstance(store, SimStore)
        self.home, self.process, self.is_aborted = store, PROCESS.get(), False
        store.open[self] = None
        self._watch()

    def _watch(self) -> None:
        if self.process is not None:
            self.process.at_death.append(self.abort)
            self.process.at_freeze.append(self._expire)

    def _expire(self) -> None:
        self.home.world.loop.call_later(LIFETIME, self.abort)

    def abort(self) -> None:
        """The server ends it."""
        self.is_aborted = self._open
        self.end()

    def end(self) -> None:
        """Let go of what it holds."""
        super().end()
        self.home.open.pop(self, None)
        if self.process is not None and self.abort in self.process.at_death:
            self.process.at_death.remove(self.abort)
            self.process.at_freeze.remove(self._expire)

    async def load(self, wanted: Mapping[str, Sequence[str]]) -> Loaded:
        """What the snapshot and its own writes hold under these ids."""
        with Alive(self):
            async with self._store.faults.around("load"):
                self.still()
                return {
                    collection: {
                        doc_id: copied(document)
                        for doc_id in ids
                        if (document := self.visible((collection, doc_id))) is not None
                    }
                    for collection, ids in wanted.items()
                }

    async def write(self, writes: Sequence[Write]) -> None:
        """Stage these; the first that cannot be ends the transaction."""
        with Alive(self):
            async with self._store.faults.around("write"):
                self.still()
                try:
                    for write in sorted(writes, key=lambda one: isinstance(one, Put)):
                        self._stage(write)
                except Conflict:
                    self.home.world.happened("write conflict")
                    raise

    def make_visible(self) -> None:
        """Show the writes to all, durably."""
        self.still()
        super().make_visible()

    def still(self) -> None:
        """Raise if the server or the client has ended it."""
        if self.is_aborted:
            raise Conflict("the server has aborted it")
        super().still()


class SimStore(MemoryStore):
    """What is written with majority survives a failover; with less, only once it was copied."""

    transactions: type[MemoryTransaction] = SimTransaction

    def __init__(self, name: str, world: World, write_concern: str) -> None:
        super().__init__()
        self.name, self.world = name, world
        self.wire = Wire(world, StoreUnavailable)
        faults: Any = self.wire
        self.faults: Faults = faults
        self.is_majority = write_concern == "majority"
        self.durable: Data = {}
        self.open: dict[SimTransaction, None] = {}

    def apply(self, changes: Mapping[Key, Document | None]) -> None:
        """Write on the primary; and wait for the others if that was asked."""
        super().apply(changes)
        if self.is_majority:
            self.durable = self.data
        else:
            data = self.data
            self.world.loop.call_later(self.world.dice.uniform(0, 1.0), self._copied, data)

    def _copied(self, data: Data) -> None:
        self.durable = data

    def fail_over(self) -> None:
        """Another member becomes primary: what had not reached it is gone."""
        for transaction in list(self.open):
            transaction.abort()
        if self.data is not self.durable:
            self.world.happened("rolled back writes")
        self.data = self.durable

    def restore(self, backup: Data) -> None:
        """The data of an earlier moment; nobody is connected."""
        self.data = self.durable = backup

    async def close(self) -> None:
        """One client's connections; the server goes on."""

    async def get(self, collection: str, doc_id: str) -> Document | None:
        """One document, as last committed."""
        async with self.faults.around("get"):
            found = self.committed((collection, doc_id))
            return None if found is None else copied(found)

    async def some(self, collection: str, ids: Sequence[str]) -> dict[str, Document]:
        """The documents that exist among these ids."""
        async with self.faults.around("some"):
            found = {doc_id: self.committed((collection, doc_id)) for doc_id in ids}
            return {doc_id: copied(one) for doc_id, one in found.items() if one is not None}

    async def page(
        self,
        collection: str,
        where: Mapping[str, Any],
        *,
        sort: str,
        after: tuple[Any, str] | None,
        limit: int,
        shown: Sequence[str] = (),
    ) -> list[Document]:
        """Documents by their ids; the core asks for no other order here, and may be shown all."""
        assert sort == "_id"
        assert not where
        async with self.faults.around("page"):
            rows = self.data.get(collection, {})
            ids = sorted(doc_id for doc_id in rows if after is None or doc_id > after[1])
            return [copied(rows[doc_id]) for doc_id in ids[:limit]]

    async def time(self) -> datetime:
        """The server's clock: half a second ahead of everybody's."""
        async with self.faults.around("time"):
            return datetime.fromtimestamp(EPOCH + self.world.loop.now + 0.5, UTC)

    async def before(
        self, collection: str, field: str, moment: datetime, limit: int
    ) -> list[Document]:
        """Documents whose `field` is an instant not after `moment`, the oldest first."""
        async with self.faults.around("before"):
            rows = self.data.get(collection, {}).values()
            past = [row for row in rows if field in row and row[field] <= moment]
            past.sort(key=lambda row: order(row, field))
            return [copied(row) for row in past[:limit]]

    async def count(self, collection: str, where: Mapping[str, Any], having: str | None) -> int:
        """How many documents equal `where` and have the field `having`."""
        async with self.faults.around("count"):
            rows = self.data.get(collection, {}).values()
            return sum((having is None or having in row) and matches(row, where) for row in rows)

    async def resend(
        self, topic: str, key: str, first: int, last: int, limit: int
    ) -> list[Document]:
        """Events of the outbox in this stream, by sequence."""
        async with self.faults.around("resend"):
            found = [
                event
                for row in self.data.get("outbox", {}).values()
                for event in row["events"]
                if event["key"] == key
                and event["topic"] == topic
                and first <= event["sequence"] <= last
            ]
            return copied(sorted(found, key=lambda event: event["sequence"])[:limit])
