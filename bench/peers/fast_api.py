"""A peer: FastAPI and Motor; each request is one transaction of state, outbox row, stored reply.

It stands behind the same check of tokens as Telar, keeps the same idempotency, and sends by the
same relay. Five round trips a request: the fewest that this work takes one at a time.
"""

import asyncio
import hashlib
import hmac
import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorClientSession
from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from bench.peers.outbox import GENESIS, INDEXES, Cause, Relay, row, seal
from bench.work import Buyer, Order, Ordered
from shared.chassis import interpreter
from shared.chassis.auth import Verifier
from shared.chassis.errors import Problem
from shared.types import Id

Document = dict[str, Any]
KAFKA, MONGO = os.environ.get("BENCH_KAFKA", ""), os.environ.get("BENCH_MONGO", "")
POOL = int(os.environ.get("BENCH_POOL", "128"))
SECRET = b"the key by which bodies are hashed"

verifier = Verifier(Path(os.environ.get("BENCH_JWKS", "jwks.json")))


class Orders:
    """The database of the source."""

    def __init__(self) -> None:
        self._client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
            MONGO, tz_aware=True, w="majority", readConcernLevel="majority", maxPoolSize=POOL
        )
        self._database = self._client["telar_source"]
        self._relay = Relay(KAFKA, self._database.outbox)

    async def start(self) -> None:
        """Collections and indexes, as Telar has them, and the relay."""
        there = await self._database.list_collection_names()
        for name in {"buyers", "outbox", "requests"} - set(there):
            await self._database.create_collection(name)
        await self._database.outbox.create_indexes(INDEXES)
        expires = IndexModel([("expires", 1)], expireAfterSeconds=0)
        await self._database.requests.create_indexes([expires])
        await self._relay.start()

    async def place(self, person_id: str, order: Order, request: Document) -> Document:
        """Take one order; the stored reply."""
        while True:
            try:
                async with await self._client.start_session() as session:
                    session.start_transaction(ReadConcern("snapshot"), WriteConcern("majority"))
                    outbox = await self._commit(session, person_id, order, request)
                self._relay.offer(outbox)
            except DuplicateKeyError:
                earlier = await self._database.requests.find_one({"_id": request["_id"]})
                if earlier is not None:
                    return earlier
            except PyMongoError as error:
                if not error.has_error_label("TransientTransactionError"):
                    raise
            else:
                return request
            await asyncio.sleep(random.random() * 0.01)  # noqa: S311  jitter

    async def _commit(
        self, session: AsyncIOMotorClientSession, person_id: str, order: Order, request: Document
    ) -> Document:
        buyers = self._database.buyers
        found = await buyers.find_one({"_id": person_id}, session=session)
        buyer = _buyer(person_id, found)
        event = Ordered(person_id=person_id, number=buyer.orders + 1, **order.model_dump())
        then = Buyer(id=person_id, orders=event.number, spent=buyer.spent + order.amount)
        last = found["place"] if found else (0, GENESIS)
        sealed, place = seal(event, last, Cause(request["_id"], request["_id"]))
        request["body"] = then.model_dump_json().encode()
        await self._database.requests.insert_one(request, session=session)
        state = {"_id": person_id, "place": place, **then.model_dump(exclude={"id"})}
        if found is None:
            await buyers.insert_one(state, session=session)
        else:
            await buyers.replace_one({"_id": person_id}, state, session=session)
        outbox = row([sealed])
        await self._database.outbox.insert_one(outbox, session=session)
        await session.commit_transaction()
        return outbox


def _buyer(person_id: str, found: Document | None) -> Buyer:
    if found is None:
        return Buyer(id=person_id)
    fields = {name: value for name, value in found.items() if name not in ("_id", "place")}
    return Buyer.model_validate({"id": person_id, **fields})


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The database before the first request."""
    app.state.orders = Orders()
    await app.state.orders.start()
    yield


app = FastAPI(lifespan=lifespan)


async def caller(request: Request) -> str:
    """Who calls, by the same check as Telar's; a plain function would be called in a thread."""
    try:
        found = verifier.caller(request.headers.get("authorization"))
    except Problem as problem:
        raise HTTPException(problem.status) from None
    if "operator" not in found.roles:
        raise HTTPException(403)
    return found.subject


@app.get("/readyz")
async def readyz() -> dict[str, bool]:
    """Ready."""
    return {"ready": True}


@app.post("/people/{person_id}/orders", status_code=201)
async def place_order(
    person_id: Id,
    order: Order,
    request: Request,
    idempotency_key: Annotated[str, Header(min_length=8, max_length=64)],
    subject: Annotated[str, Depends(caller)],
) -> Response:
    """Take one order, once per idempotency key."""
    asked = f"{request.url.path}\n{order.model_dump_json()}".encode()
    stored = {
        "_id": hashlib.sha256(f"{subject}\n{idempotency_key}".encode()).hexdigest(),
        "digest": hmac.new(SECRET, asked, "sha256").hexdigest(),
        "expires": datetime.fromtimestamp(time(), UTC) + timedelta(days=30),
    }
    reply = await request.app.state.orders.place(person_id, order, dict(stored))
    if not hmac.compare_digest(reply["digest"], stored["digest"]):
        raise HTTPException(422)
    return Response(reply["body"], 201, media_type="application/json")


if __name__ == "__main__":
    interpreter.spare_the_collector()
    uvicorn.run(
        app,
        port=int(os.environ["BENCH_PORT"]),
        loop="asyncio" if os.environ.get("BENCH_LOOP") == "asyncio" else "uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
