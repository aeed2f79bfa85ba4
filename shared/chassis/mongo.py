"""MongoDB as the store of one service; nothing else imports Motor or PyMongo.

PyMongo says                              the core hears
----------------------------------------  ----------------------------------
TransientTransactionError, WriteConflict  Conflict: run it again
duplicate `_id`, no such version          Conflict: somebody was first
duplicate in another unique index         UniqueViolated, with the document
UnknownTransactionCommitResult            (the commit alone, again) OutcomeUnknown
no connection, no primary, no answer      StoreUnavailable
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import bson
import pymongo
from bson.errors import InvalidDocument
from bson.raw_bson import RawBSONDocument
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession, AsyncIOMotorDatabase
from pymongo import DeleteOne, IndexModel, InsertOne, ReplaceOne, errors
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from shared.chassis import mongo_queries as queries
from shared.chassis.patience import Aside, Conversation, in_thread
from shared.chassis.ports import (
    Conflict,
    Document,
    Drop,
    Index,
    Loaded,
    OutcomeUnknown,
    Put,
    StoreError,
    StoreUnavailable,
    Write,
)

COMMIT_DEADLINE = 5.0  # seconds for which a commit without an answer is sent again
_INDEX_BUILD, _ORDERLY = 600.0, 1.0
_CLOSED = errors.InvalidOperation
_NO_ANSWER = (errors.ConnectionFailure, errors.ExecutionTimeout, errors.WTimeoutError, _CLOSED)

Database = AsyncIOMotorDatabase[Document]
Operation = InsertOne[Any] | ReplaceOne[Any] | DeleteOne


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
        self._endings = Aside()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["MongoTransaction"]:
        """A transaction; leaving without `commit` undoes it."""
        with _translated():
            session = await self._client.start_session()
        session.start_transaction(ReadConcern("snapshot"), WriteConcern("majority"))
        transaction = MongoTransaction(session, self._database)
        try:
            yield transaction
        finally:
            await asyncio.wait({self._endings.start(transaction.end())}, timeout=_ORDERLY)

    async def get(self, collection: str, doc_id: str) -> Document | None:
        """One document."""
        with _translated():
            return await self._database[collection].find_one({"_id": doc_id})

    async def page(
        self,
        collection: str,
        where: Mapping[str, Any],
        *,
        sort: str,
        after: tuple[Any, str] | None,
        limit: int,
    ) -> list[Document]:
        """Documents that equal `where`, by (sort, _id), those without the sort field first."""
        query = {"$and": [queries.equal(where), queries.beyond(sort, after)]}
        return await self._find(collection, query, sort, limit)

    async def before(
        self, collection: str, field: str, moment: datetime, limit: int
    ) -> list[Document]:
        """Documents whose `field` is an instant not after `moment`, the oldest first."""
        return await self._find(collection, {field: {"$lte": moment}}, field, limit)

    async def _find(
        self, collection: str, query: Mapping[str, Any], sort: str, limit: int
    ) -> list[Document]:
        with _translated():
            cursor = self._database[collection].find(query, batch_size=limit + 1)
            return await cursor.sort(queries.order(sort)).limit(limit).to_list(None)

    async def move(
        self, collection: str, doc_id: str, field: str, was: datetime, to: datetime
    ) -> bool:
        """Set an instant if it still is `was`."""
        query = {"_id": doc_id, field: was}
        with _translated():
            done = await self._database[collection].update_one(query, {"$set": {field: to}})
        return done.matched_count > 0

    async def clear(self, collection: str, ids: Sequence[str], field: str) -> None:
        """Unset one field of these documents."""
        query = {"_id": {"$in": list(ids)}}
        with _translated():
            await self._database[collection].update_many(query, {"$unset": {field: ""}})

    async def resend(
        self, topic: str, key: str, first: int, last: int, limit: int
    ) -> list[Document]:
        """Events of the outbox in this stream, by sequence."""
        return await self._pipe("outbox", queries.stretch(topic, key, first, last, limit))

    async def count(self, collection: str, where: Mapping[str, Any], having: str | None) -> int:
        """How many documents equal `where` and have the field `having`."""
        query = {"$and": [queries.equal(where), {having: {"$exists": True}} if having else {}]}
        with _translated():
            return await self._database[collection].count_documents(query)

    async def totals(self) -> tuple[dict[str, int], dict[str, int]]:
        """The sums of the last numbers given and applied in `streams`, by topic."""
        given = await self._pipe("streams", queries.total("out"))
        applied = await self._pipe("streams", queries.total("in"))
        return queries.sums(given), queries.sums(applied)

    async def _pipe(self, collection: str, stages: Sequence[Mapping[str, Any]]) -> list[Document]:
        with _translated():
            return await self._database[collection].aggregate(stages).to_list(None)

    async def ensure(self, collections: Sequence[str], indexes: Sequence[Index]) -> None:
        """Create what is missing: a transaction had better find its collections there."""
        models: dict[str, list[IndexModel]] = {name: [] for name in collections}
        for index in indexes:
            model = IndexModel([(field, 1) for field in index.fields], **queries.options(index))
            models.setdefault(index.collection, []).append(model)
        with _translated(), pymongo.timeout(_INDEX_BUILD):
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

    async def time(self) -> datetime:
        """The server's clock."""
        with _translated():
            hello: Document = await self._client.admin.command("hello")
        return hello["localTime"].replace(tzinfo=UTC)

    async def close(self) -> None:
        """Let go of every connection; a server that does not answer is not waited for."""
        await self._endings.settle(_ORDERLY)

        def close() -> None:
            with suppress(PyMongoError), pymongo.timeout(_ORDERLY):
                self._client.delegate.close()

        await in_thread(close, _ORDERLY)


class MongoTransaction:
    """One server transaction. After any error it is over: the server has aborted it."""

    def __init__(self, session: AsyncIOMotorClientSession, database: Database) -> None:
        self._session, self._database = session, database
        self._conversation = Conversation()  # a session is not safe for two at a time

    async def load(self, wanted: Mapping[str, Sequence[str]]) -> Loaded:
        """The documents that exist among these ids, from one snapshot."""
        return await self._conversation.step(self._load(wanted))

    async def write(self, writes: Sequence[Write]) -> None:
        """Stage these; each document at most once."""
        await self._conversation.step(self._write(writes))

    async def commit(self) -> None:
        """Make it so."""
        try:
            async with asyncio.timeout(COMMIT_DEADLINE):
                await self._conversation.step(self._commit())
        except TimeoutError:
            raise OutcomeUnknown("no answer to the commit") from None
        self._conversation.is_over = True

    async def end(self) -> None:
        """Abort what was not committed, once nothing uses the session any more."""
        await self._conversation.silence()
        with suppress(PyMongoError, RuntimeError):
            await self._session.end_session()

    async def _load(self, wanted: Mapping[str, Sequence[str]]) -> Loaded:
        with _translated():
            return {name: await self._among(name, ids) for name, ids in wanted.items()}

    async def _among(self, name: str, ids: Sequence[str]) -> dict[str, Document]:
        collection = self._database[name]
        if len(ids) == 1:
            one = await collection.find_one({"_id": ids[0]}, session=self._session)
            return {} if one is None else {ids[0]: one}
        query = {"_id": {"$in": list(ids)}}
        found = collection.find(query, session=self._session, batch_size=len(ids) + 1)
        return {document["_id"]: document for document in await found.to_list(None)}

    async def _write(self, writes: Sequence[Write]) -> None:
        for name, staged in queries.bulks(writes).items():
            await self._bulk(name, staged)

    async def _bulk(self, name: str, staged: Sequence[Write]) -> None:
        operations = [_operation(write) for write in staged]
        try:
            with _translated(BulkWriteError):
                done = await self._database[name].bulk_write(operations, session=self._session)
        except BulkWriteError as error:
            failed = error.details["writeErrors"]
            raise (queries.refused(staged, failed[0]) if failed else _meaning(error)) from None
        changed = done.matched_count + done.upserted_count + done.deleted_count
        if done.inserted_count + changed != len(staged):
            # A version that is not there matches nothing, which is no error to the server.
            raise Conflict(f"{name}: another version than the one loaded")

    async def _commit(self) -> None:
        while True:
            try:
                await self._session.commit_transaction()
            except PyMongoError as error:
                if not error.has_error_label("UnknownTransactionCommitResult"):
                    raise _meaning(error) from None
                if self._conversation.is_over:
                    return  # nobody waits for the answer any more
                await asyncio.sleep(0.1)
            else:
                return


def _operation(write: Write) -> Operation:
    if isinstance(write, Drop):
        return DeleteOne({"_id": write.id, "version": write.was})
    document = _encoded(write)
    doc_id = write.document["_id"]
    if not write.versioned:
        return ReplaceOne({"_id": doc_id}, document, upsert=True)
    if write.was is None:
        return InsertOne(document)
    return ReplaceOne({"_id": doc_id, "version": write.was}, document)


def _encoded(put: Put) -> RawBSONDocument:
    """Encoded once, and checked on the way: a name with a dot would be read as a path."""
    try:
        return RawBSONDocument(bson.encode(put.document, check_keys=True))
    except (InvalidDocument, OverflowError, UnicodeEncodeError) as error:
        problem = type(error).__name__  # its text may show the value
        raise ValueError(f"{put.collection}: cannot be stored ({problem})") from None


@contextmanager
def _translated(*but: type[PyMongoError]) -> Iterator[None]:
    try:
        yield
    except but:
        raise
    except PyMongoError as error:
        raise _meaning(error) from None


def _meaning(error: PyMongoError) -> StoreError:
    """Never its text, which may show values of a document."""
    name, code = type(error).__name__, getattr(error, "code", None)
    if isinstance(error, _NO_ANSWER):
        return StoreUnavailable(name)
    if error.has_error_label("TransientTransactionError") or code == queries.WRITE_CONFLICT:
        return Conflict(name)
    return StoreError(f"{name} {code}")
