"""A service's database in memory: the same conflicts, order and failures as the real one."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.chassis.memory.documents import has, matches, order, shown_of, stored
from shared.chassis.memory.faults import Faults
from shared.chassis.memory.transaction import Key, MemoryTransaction
from shared.chassis.ports import Document, Index, Instant, Put, StoreUnavailable, Write

Data = Mapping[str, Mapping[str, Document]]
"""Never changed in place: a commit makes a new one, so a snapshot is a reference."""


class MemoryStore:
    """`faults` scripts what goes wrong; `now` is the server's clock and stands still.

    Indexes that expire documents only have a name here: nothing may rely on when they do.
    """

    transactions: type[MemoryTransaction] = MemoryTransaction

    def __init__(self) -> None:
        self.faults = Faults(StoreUnavailable)
        self.now = datetime(2026, 3, 2, 12, tzinfo=UTC)
        self.data: Data = {}
        self.writers: dict[Key, MemoryTransaction] = {}
        self._indexes: dict[str, dict[str, Index]] = {}

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[MemoryTransaction]:
        """Reads of one instant: a transaction in which nothing is written."""
        async with self.transaction() as transaction:
            yield transaction

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[MemoryTransaction]:
        """A transaction; leaving without `commit` undoes it."""
        transaction = self.transactions(self)
        try:
            yield transaction
        finally:
            transaction.end()

    async def get(self, collection: str, doc_id: str) -> Document | None:
        """One document, as last committed."""
        async with self.faults.around("get"):
            found = self.committed((collection, doc_id))
            return None if found is None else stored(found)

    async def some(self, collection: str, ids: Sequence[str]) -> dict[str, Document]:
        """The documents that exist among these ids."""
        async with self.faults.around("some"):
            found = {doc_id: self.committed((collection, doc_id)) for doc_id in ids}
            return {doc_id: stored(one) for doc_id, one in found.items() if one is not None}

    async def page(  # noqa: PLR0913  all that makes a page
        self,
        collection: str,
        where: Mapping[str, Any],
        *,
        sort: str,
        after: tuple[Any, str] | None,
        limit: int,
        shown: Sequence[str] = (),
    ) -> list[Document]:
        """Documents that equal `where`, by (sort, _id), those without the sort field first."""
        async with self.faults.around("page"):
            found = [row for row in self.all(collection) if matches(row, where)]
            found.sort(key=lambda row: order(row, sort))
            if after is not None:
                last = (after[0] is not None, stored(after[0]), after[1])
                found = [row for row in found if order(row, sort) > last]
            return [shown_of(row, ["_id", *shown]) if shown else row for row in found[:limit]]

    async def before(
        self, collection: str, field: str, moment: datetime, limit: int
    ) -> list[Document]:
        """Documents whose `field` is an instant not after `moment`, the oldest first."""
        async with self.faults.around("before"):
            rows = [row for row in self.all(collection) if isinstance(row.get(field), datetime)]
            past = [row for row in rows if row[field] <= stored(moment)]
            return sorted(past, key=lambda row: order(row, field))[:limit]

    async def oldest(self, collection: str, field: str, having: str) -> datetime | None:
        """The earliest instant in `field` of the documents that have the field `having`."""
        async with self.faults.around("oldest"):
            rows = self.data.get(collection, {}).values()
            return min((row[field] for row in rows if having in row), default=None)

    async def move(
        self, place: Instant, was: datetime, to: datetime, also: Mapping[str, Any] | None = None
    ) -> bool:
        """Set an instant, and `also` these fields, if it still is `was`."""
        async with self.faults.around("move"):
            key = place.collection, place.id
            await self._free(key)
            found = self.committed(key)
            if found is None or found.get(place.field) != stored(was):
                return False
            self.apply({key: {**found, place.field: stored(to), **stored(dict(also or {}))}})
            return True

    async def clear(self, collection: str, ids: Sequence[str], field: str) -> None:
        """Unset one field of these documents."""
        async with self.faults.around("clear"):
            for doc_id in ids:
                await self._free((collection, doc_id))
                found = self.committed((collection, doc_id))
                if found is not None and field in found:
                    left = {name: value for name, value in found.items() if name != field}
                    self.apply({(collection, doc_id): left})

    async def resend(
        self, topic: str, key: str, first: int, last: int, limit: int
    ) -> list[Document]:
        """Events of the outbox in this stream, by sequence."""
        async with self.faults.around("resend"):
            found = [
                event
                for row in self.all("outbox")
                for event in row["events"]
                if (event["topic"], event["key"]) == (topic, key)
                and first <= event["sequence"] <= last
            ]
            return sorted(found, key=lambda event: event["sequence"])[:limit]

    async def count(self, collection: str, where: Mapping[str, Any], having: str | None) -> int:
        """How many documents equal `where` and have the field `having`."""
        async with self.faults.around("count"):
            found = [row for row in self.all(collection) if matches(row, where)]
            return sum(having is None or has(row, having) for row in found)

    async def totals(self) -> tuple[dict[str, int], dict[str, int]]:
        """The sums of the last numbers given and applied, by topic."""
        sums: tuple[dict[str, int], dict[str, int]] = ({}, {})
        for stream in self.all("streams"):
            for part, total in zip(("out", "in"), sums, strict=True):
                for topic, entry in stream[part].items():
                    total[topic] = total.get(topic, 0) + entry[0]
        return sums

    def check(self, write: Write) -> None:
        """Whether this could be kept. No document is too large here."""
        if isinstance(write, Put):
            stored(write.document)

    async def ensure(self, collections: Sequence[str], indexes: Sequence[Index]) -> None:
        """Note the indexes; a collection is there when it is written."""
        async with self.faults.around("ensure"):
            for index in indexes:
                self._indexes.setdefault(index.collection, {})[index.name] = index

    async def forget(self, collections: Sequence[str]) -> None:
        """Delete whole collections."""
        async with self.faults.around("forget"):
            gone = set(collections)
            self.data = {name: rows for name, rows in self.data.items() if name not in gone}
            self._indexes = {key: one for key, one in self._indexes.items() if key not in gone}

    async def time(self) -> datetime:
        """What `now` says."""
        async with self.faults.around("time"):
            return self.now

    async def close(self) -> None:
        """Nothing answers any more."""
        self.faults.go_out()

    def pass_time(self, by: timedelta) -> None:
        """Move the clock."""
        self.now += by

    def all(self, collection: str) -> list[Document]:
        """Every document of a collection by id, as last committed."""
        rows = self.data.get(collection, {})
        return [stored(rows[doc_id]) for doc_id in sorted(rows)]

    def committed(self, key: Key) -> Document | None:
        """What the last commit left under a key; not to be changed."""
        return self.data.get(key[0], {}).get(key[1])

    def apply(self, changes: Mapping[Key, Document | None]) -> None:
        """Show these changes to all at once; None deletes."""
        touched = {collection: dict(self.data.get(collection, {})) for collection, _ in changes}
        for (collection, doc_id), document in changes.items():
            if document is None:
                touched[collection].pop(doc_id, None)
            else:
                touched[collection][doc_id] = document
        self.data = {**self.data, **touched}

    def unique_indexes(self, collection: str) -> list[Index]:
        """The unique indexes of a collection."""
        return [one for one in self._indexes.get(collection, {}).values() if one.unique]

    async def _free(self, key: Key) -> None:
        """A single write waits until no transaction holds the document."""
        while (holder := self.writers.get(key)) is not None:
            await holder.ended.wait()
