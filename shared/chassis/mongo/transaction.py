"""One transaction of MongoDB, for the writer.

Each step of it is one function in one thread, on PyMongo's own client beneath Motor's: Motor would
change threads, there and back, for every call of a step.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from typing import Any

import bson
from bson.errors import InvalidDocument
from bson.raw_bson import RawBSONDocument
from pymongo import DeleteOne, InsertOne, ReplaceOne
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import BulkWriteError, PyMongoError

from shared.chassis.mongo import queries
from shared.chassis.mongo.meaning import meaning, translated
from shared.chassis.patience import Conversation
from shared.chassis.ports import Conflict, Document, Drop, Loaded, OutcomeUnknown, Put, Write

COMMIT_DEADLINE = 5.0
"""Seconds for which a commit without an answer is sent again."""

_COMMIT_AGAIN = 0.1

Operation = InsertOne[Any] | ReplaceOne[Any] | DeleteOne
Bulk = tuple[str, Sequence[Write], list[Operation]]
"""What goes to one collection, as the core says it and as PyMongo does."""


class MongoTransaction:
    """One server transaction. After any error it is over: the server has aborted it."""

    def __init__(
        self, session: ClientSession, database: Database[Document], threads: Executor
    ) -> None:
        self._session, self._database = session, database
        self._conversation = Conversation(threads)  # a session is not safe for two at a time
        self._held: dict[tuple[str, str], int | None] = {}
        self.is_committed = False

    async def load(self, wanted: Mapping[str, Sequence[str]]) -> Loaded:
        """The documents that exist among these ids, from one snapshot."""
        return await self._conversation.step(self._load, wanted)

    async def write(self, writes: Sequence[Write]) -> None:
        """Stage these; each document at most once."""
        bulks = [
            (name, staged, [self._operation(write) for write in staged])
            for name, staged in queries.bulks(writes).items()
        ]
        await self._conversation.step(self._write, bulks)

    async def commit(self) -> None:
        """Make it so."""
        try:
            async with asyncio.timeout(COMMIT_DEADLINE):
                await self._conversation.step(self._commit)
        except TimeoutError:
            raise OutcomeUnknown("no answer to the commit") from None
        self._conversation.is_over = self.is_committed = True

    async def end(self) -> None:
        """Abort what was not committed, once nothing uses the session any more."""
        await self._conversation.finish(self._end)

    def _end(self) -> None:
        with suppress(PyMongoError, RuntimeError):
            self._session.end_session()

    def _load(self, wanted: Mapping[str, Sequence[str]]) -> Loaded:
        with translated():
            loaded = {name: self._among(name, ids) for name, ids in wanted.items()}
        for name, documents in loaded.items():
            for doc_id, document in documents.items():
                self._held[name, doc_id] = document.get("version")
        return loaded

    def _among(self, name: str, ids: Sequence[str]) -> dict[str, Document]:
        collection = self._database[name]
        if len(ids) == 1:
            one = collection.find_one({"_id": ids[0]}, session=self._session)
            return {} if one is None else {ids[0]: one}
        query = {"_id": {"$in": list(ids)}}
        found = collection.find(query, session=self._session, batch_size=len(ids) + 1)
        return {document["_id"]: document for document in found.to_list()}

    def _write(self, bulks: Sequence[Bulk]) -> None:
        for name, staged, operations in bulks:
            self._bulk(name, staged, operations)

    def _bulk(self, name: str, staged: Sequence[Write], operations: list[Operation]) -> None:
        try:
            with translated(BulkWriteError):
                done = self._database[name].bulk_write(operations, session=self._session)
        except BulkWriteError as error:
            failed = error.details["writeErrors"]
            raise (queries.refused(staged, failed[0]) if failed else meaning(error)) from None
        changed = done.matched_count + done.upserted_count + done.deleted_count
        if done.inserted_count + changed != len(staged):
            # A version that is not there matches nothing, which is no error to the server.
            raise Conflict(f"{name}: another version than the one loaded")

    def _operation(self, write: Write) -> Operation:
        if isinstance(write, Drop):
            return DeleteOne(self._where(write.collection, write.id, write.was))
        document = _encoded(write)
        doc_id = write.document["_id"]
        if not write.versioned:
            return ReplaceOne({"_id": doc_id}, document, upsert=True)
        if write.was is None:
            return InsertOne(document)
        return ReplaceOne(self._where(write.collection, doc_id, write.was), document)

    def _where(self, collection: str, doc_id: str, was: int) -> Document:
        """By `_id` alone, at half the cost, what this transaction has read in that version.

        Its snapshot holds it: a write of somebody else since then is a conflict by itself.
        """
        if self._held.get((collection, doc_id)) == was:
            return {"_id": doc_id}
        return {"_id": doc_id, "version": was}

    def _commit(self) -> None:
        while True:
            try:
                self._session.commit_transaction()
            except PyMongoError as error:
                if not error.has_error_label("UnknownTransactionCommitResult"):
                    raise meaning(error) from None
                if self._conversation.is_over:
                    return  # nobody waits for the answer any more
                time.sleep(_COMMIT_AGAIN)
            else:
                self._end()  # here it asks nobody
                return


def _encoded(put: Put) -> RawBSONDocument:
    """Encoded once, and checked on the way: a name with a dot would be read as a path."""
    try:
        return RawBSONDocument(bson.encode(put.document, check_keys=True))
    except (InvalidDocument, OverflowError, UnicodeEncodeError) as error:
        problem = type(error).__name__  # its text may show the value
        raise ValueError(f"{put.collection}: cannot be stored ({problem})") from None
