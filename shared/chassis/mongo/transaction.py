"""One transaction of MongoDB, for the writer.

Each step of it is one function in one thread, on PyMongo's own client beneath Motor's: Motor would
change threads, there and back, for every call of a step.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from itertools import groupby

import bson
from bson.errors import InvalidDocument
from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import PyMongoError

from shared.chassis.mongo import queries
from shared.chassis.mongo.meaning import meaning, translated
from shared.chassis.patience import Conversation
from shared.chassis.ports import Conflict, Document, Loaded, OutcomeUnknown, Sent, Write, nobody

COMMIT_DEADLINE = 5.0
"""Seconds for which a commit without an answer is sent again."""

_COMMIT_AGAIN = 0.1

_MOST_BYTES = 16 * 1024 * 1024
"""Of one command, a third of what the server takes."""

_LARGEST = 16 * 1024 * 1024
"""Bytes of one document, as the server takes it."""

_MOST_TOGETHER = 64
"""Documents asked for by one question whatever their collections: what a few cost is the asking.

Of many, each would cost more: the server wraps it, and it is unwrapped here.
"""


class Staged:
    """Writes of one kind to one collection, as the core says them and as the command takes them."""

    def __init__(self, verb: str) -> None:
        self.writes: list[Write] = []
        self._verb = verb
        self._encoded: list[RawBSONDocument] = []

    def add(self, write: Write, encoded: bytes) -> None:
        """One more."""
        self.writes.append(write)
        self._encoded.append(RawBSONDocument(encoded))

    @property
    def collection(self) -> str:
        """Where they go."""
        return self.writes[0].collection

    @property
    def command(self) -> Document:
        """What does them."""
        return {self._verb: self.collection, queries.LISTS[self._verb]: self._encoded}


class MongoSnapshot:
    """Reads of one instant, by a session that fixes it at the first."""

    _most_together = _MOST_TOGETHER

    def __init__(
        self, session: ClientSession, database: Database[Document], threads: Executor
    ) -> None:
        self._session, self._database = session, database
        self._conversation = Conversation(threads)  # a session is not safe for two at a time

    async def load(self, wanted: Mapping[str, Sequence[str]]) -> Loaded:
        """The documents that exist among these ids."""
        return await self._conversation.step(self._load, wanted)

    @property
    def is_busy(self) -> bool:
        """Whether a thread still uses the session."""
        return self._conversation.is_busy

    async def end(self) -> None:
        """Let go of the session, once nothing uses it any more; a transaction is aborted."""
        await self._conversation.finish(self.let_go)

    def let_go(self) -> None:
        """Let go of the session, which nothing uses: it has done what it had to."""
        with suppress(PyMongoError, RuntimeError):
            self._session.end_session()

    def _load(self, wanted: Mapping[str, Sequence[str]]) -> Loaded:
        with translated():
            if 0 < sum(map(len, wanted.values())) <= self._most_together:
                return self._together(wanted)
            return {name: self._among(name, ids) for name, ids in wanted.items()}

    def _together(self, wanted: Mapping[str, Sequence[str]]) -> Loaded:
        found: Loaded = {name: {} for name in wanted}
        first = self._database[next(iter(wanted))]
        for row in first.aggregate(queries.together(wanted), session=self._session).to_list():
            found[row["of"]][row["is"]["_id"]] = row["is"]
        return found

    def _among(self, name: str, ids: Sequence[str]) -> dict[str, Document]:
        found = self._database[name].find(
            {"_id": {"$in": list(ids)}}, session=self._session, batch_size=len(ids) + 1
        )
        return {document["_id"]: document for document in found.to_list()}


class MongoTransaction(MongoSnapshot):
    """One server transaction. After any error it is over: the server has aborted it."""

    is_committed = False
    _most_together = 0  # the server unites nothing in a transaction

    async def write(self, writes: Sequence[Write]) -> None:
        """Stage these; each document at most once."""
        await self._conversation.step(self._write, _staged(writes))

    async def commit(self, writes: Sequence[Write] = (), sent: Sent = nobody) -> None:
        """Stage these too, and make it so: one step, for the loop may be busy between two."""
        loop, limit = asyncio.get_running_loop(), asyncio.timeout(None)

        def goes_out() -> None:
            if not self._conversation.is_over:  # else the caller has gone, and was told
                limit.reschedule(loop.time() + COMMIT_DEADLINE)
                sent()

        out = partial(loop.call_soon_threadsafe, goes_out)
        try:
            async with limit:
                await self._conversation.step(self._settle, _staged(writes), out)
        except TimeoutError:
            raise OutcomeUnknown("no answer to the commit") from None
        except asyncio.CancelledError:
            if self._conversation.has_passed:
                sent()
            raise
        self._conversation.is_over = self.is_committed = True

    def _write(self, staged: Sequence[Staged]) -> None:
        for one in staged:
            with translated():
                done = self._database.command(one.command, session=self._session)
            if failed := done.get("writeErrors"):
                raise queries.refused(one.writes, failed[0])
            if done["n"] != len(one.writes):  # to match nothing is no error to the server
                raise Conflict(f"{one.collection}: another version than the one loaded")

    def _settle(self, staged: Sequence[Staged], out: Callable[[], object]) -> None:
        self._write(staged)
        if self._conversation.passes():
            out()
            self._commit()

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
                self.let_go()  # here it asks nobody
                return


def _staged(writes: Sequence[Write]) -> list[Staged]:
    return [one for part in queries.bulks(writes).values() for one in _commands(part)]


def _commands(writes: Sequence[Write]) -> Iterator[Staged]:
    """The commands that stage these writes of one collection: a kind, and so many bytes, each."""
    for verb, those in groupby(writes, queries.verb):
        staged, size = Staged(verb), 0
        for write in those:
            raw = encoded(write)
            if size and size + len(raw) > _MOST_BYTES:
                yield staged
                staged, size = Staged(verb), 0
            staged.add(write, raw)
            size += len(raw)
        yield staged


def encoded(write: Write) -> bytes:
    """Encoded once, and checked on the way: a name with a dot would be read as a path."""
    try:
        raw = bson.encode(queries.operation(write), check_keys=True)
    except (InvalidDocument, OverflowError, UnicodeEncodeError) as error:
        problem = type(error).__name__  # its text may show the value
        raise ValueError(f"{write.collection}: cannot be stored ({problem})") from None
    if len(raw) > _LARGEST:
        raise ValueError(f"{write.collection}: too large to be stored")
    return raw
