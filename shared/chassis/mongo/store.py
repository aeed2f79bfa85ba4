"""The database of one service: reads, claims, and its transactions."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import pymongo
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import IndexModel, errors
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from shared.chassis.mongo import queries
from shared.chassis.mongo.meaning import translated
from shared.chassis.mongo.transaction import MongoSnapshot, MongoTransaction, encoded
from shared.chassis.patience import Aside, in_thread
from shared.chassis.ports import Document, Index, Instant, Write

_INDEX_BUILD, _ORDERLY = 600.0, 1.0
_THREADS = 10
"""For transactions; as many at once as may be stuck without holding up the next one."""


class MongoStore:
    """The database of one service. Majority writes and reads; instants are UTC."""

    def __init__(self, uri: str, database: str) -> None:
        self._client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
            uri,
            tz_aware=True,
            tzinfo=UTC,
            w="majority",
            readConcernLevel="majority",
            serverSelectionTimeoutMS=3000,
            connectTimeoutMS=2000,
            socketTimeoutMS=5000,
            appname=f"telar-{database}",
        )
        self._database = self._client[database]
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"transaction-{database}")
        self._endings = Aside()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator["MongoSnapshot"]:
        """Reads of one instant, outside of any transaction."""
        session = self._client.delegate.start_session(snapshot=True)
        snapshot = MongoSnapshot(session, self._database.delegate, self._threads)
        try:
            yield snapshot
        finally:
            if snapshot.is_busy:  # the caller went away
                self._endings.start(snapshot.end())
            else:
                snapshot.let_go()  # which asks nobody

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["MongoTransaction"]:
        """A transaction; leaving without `commit` undoes it."""
        session = self._client.delegate.start_session()
        session.start_transaction(ReadConcern("snapshot"), WriteConcern("majority"))
        transaction = MongoTransaction(session, self._database.delegate, self._threads)
        try:
            yield transaction
        finally:
            if not transaction.is_committed:  # else there is nothing left to undo
                ending = self._endings.start(transaction.end())
                await asyncio.wait({ending}, timeout=_ORDERLY)

    async def get(self, collection: str, doc_id: str) -> Document | None:
        """One document."""
        with translated():
            return await self._database[collection].find_one({"_id": doc_id})

    async def some(self, collection: str, ids: Sequence[str]) -> dict[str, Document]:
        """The documents that exist among these ids."""
        with translated():
            found = self._database[collection].find({"_id": {"$in": list(ids)}})
            return {document["_id"]: document for document in await found.to_list(None)}

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
        query = {"$and": [queries.equal(where), queries.beyond(sort, after)]}
        return await self._find(collection, query, sort, limit, shown)

    async def before(
        self, collection: str, field: str, moment: datetime, limit: int
    ) -> list[Document]:
        """Documents whose `field` is an instant not after `moment`, the oldest first."""
        return await self._find(collection, {field: {"$lte": moment}}, field, limit)

    async def oldest(self, collection: str, field: str, having: str) -> datetime | None:
        """The earliest instant in `field` of the documents that have the field `having`."""
        shown, by = {field: 1, "_id": 0}, [(field, pymongo.ASCENDING)]
        with translated():
            having_it = {having: {"$exists": True}}
            found = await self._database[collection].find_one(having_it, shown, sort=by)
        return found[field] if found else None

    async def _find(
        self,
        collection: str,
        query: Mapping[str, Any],
        sort: str,
        limit: int,
        shown: Sequence[str] = (),
    ) -> list[Document]:
        with translated():
            cursor = self._database[collection].find(query, shown or None, batch_size=limit + 1)
            return await cursor.sort(queries.order(sort)).limit(limit).to_list(None)

    async def move(
        self, place: Instant, was: datetime, to: datetime, also: Mapping[str, Any] | None = None
    ) -> bool:
        """Set an instant, and `also` these fields, if it still is `was`."""
        query, change = (
            {"_id": place.id, place.field: was},
            {"$set": {place.field: to, **(also or {})}},
        )
        with translated():
            done = await self._database[place.collection].update_one(query, change)
        return done.matched_count > 0

    async def clear(self, collection: str, ids: Sequence[str], field: str) -> None:
        """Unset one field of these documents."""
        query = {"_id": {"$in": list(ids)}}
        with translated():
            await self._database[collection].update_many(query, {"$unset": {field: ""}})

    async def resend(
        self, topic: str, key: str, first: int, last: int, limit: int
    ) -> list[Document]:
        """Events of the outbox in this stream, by sequence."""
        return await self._pipe("outbox", queries.stretch(topic, key, first, last, limit))

    async def count(self, collection: str, where: Mapping[str, Any], having: str | None) -> int:
        """How many documents equal `where` and have the field `having`."""
        query = {"$and": [queries.equal(where), {having: {"$exists": True}} if having else {}]}
        with translated():
            return await self._database[collection].count_documents(query)

    async def totals(self) -> tuple[dict[str, int], dict[str, int]]:
        """The sums of the last numbers given and applied in `streams`, by topic."""
        given = await self._pipe("streams", queries.total("out"))
        applied = await self._pipe("streams", queries.total("in"))
        return queries.sums(given), queries.sums(applied)

    async def _pipe(self, collection: str, stages: Sequence[Mapping[str, Any]]) -> list[Document]:
        with translated():
            return await self._database[collection].aggregate(stages).to_list(None)

    def check(self, write: Write) -> None:
        """Whether this could be kept: encoded here, and sent to nobody."""
        encoded(write)

    async def ensure(self, collections: Sequence[str], indexes: Sequence[Index]) -> None:
        """Create what is missing: a transaction had better find its collections there."""
        models: dict[str, list[IndexModel]] = {name: [] for name in collections}
        for index in indexes:
            model = IndexModel([(field, 1) for field in index.fields], **queries.options(index))
            models.setdefault(index.collection, []).append(model)
        with translated(), pymongo.timeout(_INDEX_BUILD):
            there = await self._database.list_collection_names()
            for name in models.keys() - set(there):
                await self._create(name)
            for name, wanted in models.items():
                if wanted:
                    await self._database[name].create_indexes(wanted)

    async def _create(self, name: str) -> None:
        try:
            await self._database.create_collection(name)
        except (errors.CollectionInvalid, OperationFailure) as error:
            if getattr(error, "code", None) not in (None, queries.NAMESPACE_EXISTS):
                raise  # else another replica was first

    async def forget(self, collections: Sequence[str]) -> None:
        """Delete whole collections."""
        with translated():
            for name in collections:
                await self._database.drop_collection(name)

    async def time(self) -> datetime:
        """The server's clock."""
        with translated():
            hello: Document = await self._client.admin.command("hello")
        return hello["localTime"].replace(tzinfo=UTC)

    async def close(self) -> None:
        """Let go of every connection; a server that does not answer is not waited for."""
        await self._endings.settle(_ORDERLY)

        def close() -> None:
            with suppress(PyMongoError), pymongo.timeout(_ORDERLY):
                self._client.delegate.close()

        await in_thread(close, _ORDERLY)
