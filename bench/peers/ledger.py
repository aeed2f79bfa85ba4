"""What a team would write by hand: any number of orders in one transaction, exactly once.

State, position in the stream and one outbox document, with the same models and the same numbered
and chained streams as Telar; no framework. The peers that commit each event alone use it with
batches of one.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession
from pymongo import InsertOne, ReplaceOne
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from bench.peers.outbox import GENESIS, INDEXES, Cause, Collection, digest, row, seal
from bench.work import SINK, SOURCE_TOPIC, Account, Booked, Ordered, after

Document = dict[str, Any]
Operation = InsertOne[Document] | ReplaceOne[Document]


@dataclass(frozen=True, slots=True)
class Arrived:
    """An order as it came: its place in its stream, and its value still as bytes."""

    key: str
    value: bytes
    sequence: int
    previous: str
    text: dict[str, str]
    validated: Ordered | None

    @classmethod
    def of(cls, record: Any, validated: Ordered | None = None) -> "Arrived":
        """Read a Kafka record; a framework may have validated its value already."""
        text = {name: raw.decode("ascii") for name, raw in record.headers}
        sequence, previous = int(text["ce_sequence"]), text["ce_previous"]
        return cls(record.key.decode("ascii"), record.value, sequence, previous, text, validated)

    @property
    def digest(self) -> str:
        """The hash that the next one names."""
        described = {"key": self.key, "sequence": self.sequence, "value": self.value}
        described |= {name: self.text[f"ce_{name}"] for name in ("id", "type", "time")}
        return digest(self.previous, SOURCE_TOPIC, described)


class Ledger:
    """The database of the sink."""

    def __init__(self, mongo: str, pool: int = 100) -> None:
        self._client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
            mongo, tz_aware=True, w="majority", readConcernLevel="majority", maxPoolSize=pool
        )
        self._database = self._client[os.environ.get("BENCH_DATABASE", f"telar_{SINK}")]

    @property
    def outbox(self) -> Collection:
        """What is to be sent."""
        return self._database.outbox

    async def prepare(self) -> None:
        """Collections and indexes, as Telar has them."""
        there = await self._database.list_collection_names()
        for name in {"accounts", "streams", "outbox"} - set(there):
            await self._database.create_collection(name)
        await self.outbox.create_indexes(INDEXES)

    async def apply(self, arrived: Sequence[Arrived]) -> Document | None:
        """Commit all of them; the outbox document that holds what is to be sent."""
        while True:
            try:
                async with await self._client.start_session() as session:
                    session.start_transaction(ReadConcern("snapshot"), WriteConcern("majority"))
                    return await self._commit(session, arrived)
            except PyMongoError as error:
                if not error.has_error_label("TransientTransactionError"):
                    raise
                await asyncio.sleep(0.002)

    async def _commit(
        self, session: AsyncIOMotorClientSession, arrived: Sequence[Arrived]
    ) -> Document | None:
        keys = list({one.key for one in arrived})
        streams = await self._found(session, "streams", keys)
        accounts = await self._found(session, "accounts", keys)
        folding = Folding(streams, accounts)
        for one in arrived:
            folding.add(one)
        if not folding.events:
            return None
        await self._write(session, "streams", folding.streams, streams)
        await self._write(session, "accounts", folding.documents(), accounts)
        outbox = row(folding.events)
        await self.outbox.insert_one(outbox, session=session)
        await session.commit_transaction()
        return outbox

    async def _found(
        self, session: AsyncIOMotorClientSession, name: str, keys: list[str]
    ) -> dict[str, Document]:
        if len(keys) == 1:
            one = await self._database[name].find_one({"_id": keys[0]}, session=session)
            return {keys[0]: one} if one else {}
        where = {"_id": {"$in": keys}}
        cursor = self._database[name].find(where, session=session, batch_size=len(keys) + 1)
        return {one["_id"]: one for one in await cursor.to_list(None)}

    async def _write(
        self,
        session: AsyncIOMotorClientSession,
        name: str,
        changed: dict[str, Document],
        was: dict[str, Document],
    ) -> None:
        operations: list[Operation] = [
            ReplaceOne({"_id": key}, document) if key in was else InsertOne(document)
            for key, document in changed.items()
        ]
        await self._database[name].bulk_write(operations, session=session, ordered=False)


class Folding:
    """One batch in memory."""

    def __init__(self, streams: dict[str, Document], accounts: dict[str, Document]) -> None:
        self._were, self._documents = streams, accounts
        self._accounts: dict[str, Account] = {}
        self.streams: dict[str, Document] = {}
        self.events: list[Document] = []

    def add(self, one: Arrived) -> None:
        """Apply an order that is next in its stream; one seen before changes nothing."""
        stream = self.streams.get(one.key) or self._were.get(one.key)
        stream = stream or {"in": (0, GENESIS), "out": (0, GENESIS)}
        sequence, last = stream["in"]
        if one.sequence <= sequence:
            return
        if one.sequence > sequence + 1 or one.previous != last:
            raise LookupError("a gap or a fork: a person must look")
        event = self._book(one.validated or Ordered.model_validate_json(one.value))
        cause = Cause(one.text["ce_id"], one.text["ce_correlationid"])
        sealed, out = seal(event, stream["out"], cause)
        self.events.append(sealed)
        arrived = (one.sequence, one.digest)
        self.streams[one.key] = {"_id": one.key, "in": arrived, "out": out}

    def _book(self, order: Ordered) -> Booked:
        account = self._account(order.person_id)
        event = Booked(
            person_id=order.person_id,
            order_id=order.order_id,
            number=order.number,
            amount=order.amount,
            balance=account.balance + order.amount,
        )
        self._accounts[order.person_id] = after(account, event)
        return event

    def _account(self, key: str) -> Account:
        if (held := self._accounts.get(key)) is not None:
            return held
        found = self._documents.get(key)
        if found is None:
            return Account(id=key)
        fields = {name: value for name, value in found.items() if name != "_id"}
        return Account.model_validate({"id": key, **fields})

    def documents(self) -> dict[str, Document]:
        """The accounts that changed, as they are stored."""
        return {
            key: {"_id": key, **account.model_dump(exclude={"id"})}
            for key, account in self._accounts.items()
        }
