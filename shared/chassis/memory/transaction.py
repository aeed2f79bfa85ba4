"""A transaction as MongoDB runs it: one snapshot, and whoever writes second is in conflict."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared.chassis.memory.documents import stored, unique_keys
from shared.chassis.ports import (
    Conflict,
    Document,
    Drop,
    Index,
    Loaded,
    Put,
    Sent,
    UniqueViolated,
    Write,
    nobody,
)

if TYPE_CHECKING:
    from shared.chassis.memory.store import Data, MemoryStore

Key = tuple[str, str]


class MemoryTransaction:
    """Reads one instant of the store; its writes are seen by nobody before the commit."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._snapshot: Data | None = None
        self._open = True
        self.staged: dict[Key, Document | None] = {}
        self.ended = asyncio.Event()

    async def load(self, wanted: Mapping[str, Sequence[str]]) -> Loaded:
        """What the snapshot and its own writes hold under these ids."""
        with Alive(self):
            async with self._store.faults.around("load"):
                return {
                    collection: {
                        doc_id: stored(document)
                        for doc_id in ids
                        if (document := self.visible((collection, doc_id))) is not None
                    }
                    for collection, ids in wanted.items()
                }

    async def write(self, writes: Sequence[Write]) -> None:
        """Stage these; the first that cannot be ends the transaction."""
        with Alive(self):
            async with self._store.faults.around("write"):
                for write in sorted(writes, key=lambda one: isinstance(one, Put)):
                    self._stage(write)  # drops first: they free entries of unique indexes

    async def commit(self, writes: Sequence[Write] = (), sent: Sent = nobody) -> None:
        """Stage these too, and show the writes to all."""
        if writes:
            await self.write(writes)
        with Alive(self):
            sent()
            async with self._store.faults.around("commit"):
                self.make_visible()

    def make_visible(self) -> None:
        """The commit itself."""
        self._store.apply(self.staged)
        self.end()

    def end(self) -> None:
        """Let go of what it holds; what was not committed is gone."""
        self._open = False
        for key in self.staged:
            if self._store.writers.get(key) is self:
                del self._store.writers[key]
        self.staged = {}
        self.ended.set()

    def still(self) -> None:
        """Raise if it has ended: going on would be a fault of the caller."""
        if not self._open:
            raise RuntimeError("this transaction has ended")

    def visible(self, key: Key) -> Document | None:
        """What this transaction sees under a key."""
        if key in self.staged:
            return self.staged[key]
        return self.snapshot().get(key[0], {}).get(key[1])

    def snapshot(self) -> Data:
        """The store as it was at the first read or write."""
        if self._snapshot is None:
            self._snapshot = self._store.data
        return self._snapshot

    def _stage(self, write: Write) -> None:
        if isinstance(write, Drop):
            key = write.collection, write.id
            self.claim(key)
            self.same_version(key, write.was)
            self.staged[key] = None
            return
        key = write.collection, write.document["_id"]
        document = stored(write.document)
        self.claim(key)
        if write.versioned:
            self.same_version(key, write.was)
        self.unique(write, document)
        self.staged[key] = document

    def claim(self, key: Key) -> None:
        """Nobody else has written this, or writes it now, since the snapshot."""
        then = self.snapshot().get(key[0], {}).get(key[1])
        if self._store.writers.get(key, self) is not self or self._store.committed(key) is not then:
            raise Conflict(f"{key[0]}: another transaction was first")
        self._store.writers[key] = self
        self.staged.setdefault(key, then)

    def same_version(self, key: Key, was: int | None) -> None:
        """The document is the one that was loaded, or still is not there."""
        found = self.visible(key)
        if (found is None) != (was is None) or (found and found.get("version") != was):
            raise Conflict(f"{key[0]}: another version than the one loaded")

    def unique(self, write: Put, document: Document) -> None:
        """No other document has its entry in a unique index."""
        for index in self._store.unique_indexes(write.collection):
            entries = unique_keys(document, index)
            if self._taken(write, entries, index, self._mine(write.collection)):
                raise UniqueViolated(write.collection, document["_id"], index.name)
            if self._taken(write, entries, index, self._theirs(write.collection)):
                raise Conflict(f"{write.collection}: another transaction takes the same entry")

    def _taken(
        self, write: Put, entries: set[tuple[object, ...]], index: Index, among: list[Document]
    ) -> bool:
        mine = write.document["_id"]
        return any(other["_id"] != mine and entries & unique_keys(other, index) for other in among)

    def _mine(self, collection: str) -> list[Document]:
        ids = self.snapshot().get(collection, {}).keys()
        ids |= {doc_id for named, doc_id in self.staged if named == collection}
        found = (self.visible((collection, doc_id)) for doc_id in ids)
        return [document for document in found if document is not None]

    def _theirs(self, collection: str) -> list[Document]:
        """What others committed since the snapshot, or have staged."""
        now = self._store.data.get(collection, {})
        then = self.snapshot().get(collection, {})
        later = [document for doc_id, document in now.items() if document is not then.get(doc_id)]
        for (named, doc_id), holder in self._store.writers.items():
            staged = holder.staged.get((named, doc_id))
            if holder is not self and named == collection and staged is not None:
                later.append(staged)
        return later


class Alive:
    """Around each step of a transaction: after any error the server has aborted it."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    def __enter__(self) -> None:
        self._transaction.still()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._transaction.end()
