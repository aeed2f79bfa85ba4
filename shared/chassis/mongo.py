"""MongoDB behind the store port. The only module that imports Motor and PyMongo.

Snapshot reads and majority writes in every transaction. After a write error the server has aborted
the transaction, so nothing goes on in it: the error says whether to run it again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any

from bson.codec_options import CodecOptions
from motor.motor_asyncio import (
    AsyncIOMotorClient,
    AsyncIOMotorClientSession,
    AsyncIOMotorCollection,
    AsyncIOMotorDatabase,
)
from pymongo import DeleteOne, InsertOne, ReplaceOne
from pymongo.errors import BulkWriteError, CollectionInvalid, DuplicateKeyError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

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
    Transaction,
    UniqueViolated,
    Write,
)

COMMIT_PATIENCE = 5.0
"""Seconds for which a commit of unknown outcome is repeated (it is safe to repeat)."""

_DUPLICATE, _CONFLICT, _NAMESPACE_EXISTS = 11000, 112, 48

Database = AsyncIOMotorDatabase[Document]
Collection = AsyncIOMotorCollection[Document]


@contextmanager
def _translated() -> Iterator[None]:
    """Say a driver's error in the words of the port. Its text may hold values: it is dropped."""
    try:
        yield
    except PyMongoError as error:
        raise _translate(error) from error


def _translate(error: PyMongoError) -> StoreError:
    name = type(error).__name__
    code = getattr(error, "code", None)
    if error.has_error_label("TransientTransactionError") or code == _CONFLICT:
        return Conflict(name)
    if isinstance(error, DuplicateKeyError):
        return Conflict(name)
    return StoreUnavailable(name)


class MongoTransaction:
    """Reads and writes of one session, strictly one after another."""

    def __init__(self, database: Database, session: AsyncIOMotorClientSession) -> None:
        self._database, self._session = database, session
        self.committed = False

    async def load(self, wanted: Mapping[str, Sequence[str]]) -> Loaded:
        """One round trip a collection."""
        loaded: Loaded = {}
        with _translated():
            for name, ids in wanted.items():
                found = self._database[name].find(
                    {"_id": {"$in": list(ids)}}, session=self._session
                )
                loaded[name] = {doc["_id"]: doc for doc in await found.to_list(None)}
        return loaded

    async def write(self, writes: Sequence[Write]) -> None:
        """One bulk a collection; ordered, so that an error names its operation."""
        by_collection: dict[str, list[Write]] = {}
        for one in writes:
            by_collection.setdefault(one.collection, []).append(one)
        for name, group in by_collection.items():
            await self._bulk(name, group)

    async def _bulk(self, name: str, group: list[Write]) -> None:
        operations = [_operation(one) for one in group]
        try:
            with _translated():
                result = await self._database[name].bulk_write(operations, session=self._session)
        except StoreError as error:
            if isinstance(error.__cause__, BulkWriteError):
                raise _bulk_error(name, group, error.__cause__) from error
            raise
        met = sum(isinstance(one, Put) and one.was is not None and one.versioned for one in group)
        dropped = sum(isinstance(one, Drop) for one in group)
        unversioned = sum(isinstance(one, Put) and not one.versioned for one in group)
        replaced = result.matched_count + result.upserted_count
        if replaced != met + unversioned or result.deleted_count != dropped:
            raise Conflict("another version")

    async def commit(self) -> None:
        """Commit; an unknown outcome is asked again until it is known or the patience is over."""
        until = asyncio.get_running_loop().time() + COMMIT_PATIENCE
        while True:
            try:
                await self._session.commit_transaction()
            except PyMongoError as error:
                known = not error.has_error_label("UnknownTransactionCommitResult")
                if known:
                    raise _translate(error) from error
                if asyncio.get_running_loop().time() > until:
                    raise OutcomeUnknown(type(error).__name__) from error
                await asyncio.sleep(0.05)
            else:
                self.committed = True
                return


def _operation(one: Write) -> Any:
    if isinstance(one, Drop):
        return DeleteOne({"_id": one.id, "version": one.was})
    doc_id = one.document["_id"]
    if not one.versioned:
        return ReplaceOne({"_id": doc_id}, one.document, upsert=True)
    if one.was is None:
        return InsertOne(one.document)
    return ReplaceOne({"_id": doc_id, "version": one.was}, one.document)


def _bulk_error(name: str, group: list[Write], error: BulkWriteError) -> StoreError:
    details = error.details or {}
    for fault in details.get("writeErrors", []):
        keys = fault.get("keyPattern") or {}
        if fault.get("code") == _DUPLICATE and list(keys) != ["_id"]:
            culprit = group[fault["index"]]
            doc_id = culprit.id if isinstance(culprit, Drop) else culprit.document["_id"]
            return UniqueViolated(name, doc_id, "_".join(keys))
        if fault.get("code") in (_DUPLICATE, _CONFLICT):
            return Conflict(type(error).__name__)
    if error.has_error_label("TransientTransactionError"):
        return Conflict(type(error).__name__)
    codes = [fault.get("code") for fault in details.get("writeErrors", [])]
    return StoreError(f"{name}: write errors {codes}")


class MongoStore:
    """One database of a replica set."""

    def __init__(self, uri: str, database: str) -> None:
        self._client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
            uri,
            serverSelectionTimeoutMS=3000,
            connectTimeoutMS=3000,
            socketTimeoutMS=20_000,
            retryWrites=True,
            appname="telar",
        )
        options: CodecOptions[Document] = CodecOptions(tz_aware=True, tzinfo=UTC)
        self._database: Database = self._client.get_database(
            database,
            codec_options=options,
            read_concern=ReadConcern("majority"),
            write_concern=WriteConcern("majority", wtimeout=10_000),
        )

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A snapshot; leaving without `commit` aborts it."""
        return self._transaction()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Transaction]:
        with _translated():
            session = await self._client.start_session()
        try:
            session.start_transaction(
                read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority")
            )
            transaction = MongoTransaction(self._database, session)
            yield transaction
            if not transaction.committed and session.in_transaction:
                await session.abort_transaction()
        finally:
            await session.end_session()  # aborts what is still open, and never raises

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
        """Equality on fields, by (sort, _id)."""
        query: dict[str, Any] = {name: {"$eq": value} for name, value in where.items()}
        order = [("_id", 1)] if sort == "_id" else [(sort, 1), ("_id", 1)]
        if after is not None:
            value, doc_id = after
            later = [{sort: {"$gt": value}}, {sort: {"$eq": value}, "_id": {"$gt": doc_id}}]
            query["$and"] = [{"_id": {"$gt": doc_id}}] if sort == "_id" else [{"$or": later}]
        with _translated():
            return await self._database[collection].find(query).sort(order).to_list(limit)

    async def before(
        self, collection: str, field: str, moment: datetime, limit: int
    ) -> list[Document]:
        """Through the partial index of the field."""
        query = {field: {"$exists": True, "$lte": moment}}
        with _translated():
            return await self._database[collection].find(query).sort(field, 1).to_list(limit)

    async def move(
        self, collection: str, doc_id: str, field: str, was: datetime, to: datetime
    ) -> bool:
        """Compare and set."""
        with _translated():
            result = await self._database[collection].update_one(
                {"_id": doc_id, field: was}, {"$set": {field: to}}
            )
        return result.modified_count == 1

    async def clear(self, collection: str, ids: Sequence[str], field: str) -> None:
        """Unset a field of many."""
        with _translated():
            await self._database[collection].update_many(
                {"_id": {"$in": list(ids)}}, {"$unset": {field: ""}}
            )

    async def resend(
        self, topic: str, key: str, first: int, last: int, limit: int
    ) -> list[Document]:
        """Through the index on the key and number of each embedded event."""
        within = {"$elemMatch": {"key": key, "sequence": {"$gte": first, "$lte": last}}}
        with _translated():
            found = await self._database["outbox"].find({"events": within}).to_list(limit)
        events = [
            event
            for document in found
            for event in document["events"]
            if event["topic"] == topic and event["key"] == key
            if first <= event["sequence"] <= last
        ]
        return sorted(events, key=lambda event: event["sequence"])[:limit]

    async def count(self, collection: str, where: Mapping[str, Any], having: str | None) -> int:
        """How many."""
        query: dict[str, Any] = {name: {"$eq": value} for name, value in where.items()}
        if having is not None:
            query[having] = {"$exists": True}
        with _translated():
            return await self._database[collection].count_documents(query)

    async def totals(self) -> tuple[dict[str, int], dict[str, int]]:
        """One pass over `streams`."""
        return await self._total("out"), await self._total("in")

    async def _total(self, part: str) -> dict[str, int]:
        number = {"$arrayElemAt": ["$place.v", 0]}
        steps: list[Mapping[str, Any]] = [
            {"$project": {"place": {"$objectToArray": f"${part}"}}},
            {"$unwind": "$place"},
            {"$group": {"_id": "$place.k", "sum": {"$sum": number}}},
        ]
        with _translated():
            rows = await self._database["streams"].aggregate(steps).to_list(None)
        return {row["_id"]: int(row["sum"]) for row in rows}

    async def ensure(self, collections: Sequence[str], indexes: Sequence[Index]) -> None:
        """Collections first: a transaction must not be the one that creates them."""
        with _translated():
            existing = set(await self._database.list_collection_names())
            for name in set(collections) - existing:
                await _unless_there(lambda name=name: self._database.create_collection(name))
            for index in indexes:
                await self._database[index.collection].create_index(
                    [(field, 1) for field in index.fields], name=index.name, **_options(index)
                )

    async def time(self) -> datetime:
        """From `hello`, which any member answers at once."""
        with _translated():
            answer = await self._client.admin.command("hello")
        at: datetime = answer["localTime"]
        return at.replace(tzinfo=UTC)

    async def close(self) -> None:
        """Never waits."""
        self._client.close()


def _options(index: Index) -> dict[str, Any]:
    options: dict[str, Any] = {"unique": True} if index.unique else {}
    if index.only is not None:
        options["partialFilterExpression"] = {index.only: {"$exists": True}}
    if index.expires:
        options["expireAfterSeconds"] = 0
    return options


async def _unless_there(create: Callable[[], Any]) -> None:
    try:
        await create()
    except CollectionInvalid:
        return  # another replica was first
    except PyMongoError as error:
        if getattr(error, "code", None) != _NAMESPACE_EXISTS:
            raise
