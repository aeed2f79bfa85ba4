"""Telar's side: two services on the real chassis; `source` takes orders, the sink books them."""

import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI

from bench.work import SINK, SOURCE, Account, Book, Booked, Buyer, Order, Ordered, after
from shared.chassis.envelope import Envelope
from shared.chassis.http import Intent, Reply, Router
from shared.chassis.policy import Role
from shared.chassis.service import Service
from shared.chassis.settings import ServiceSettings, service_config
from shared.model import Aggregate, Command, Context, Do, Event, Handlers, Step
from shared.types import Id


class Settings(ServiceSettings):
    """The variables of both services, prefix BENCH_."""

    model_config = service_config("BENCH_")


def decide_account(account: Account | None, command: Book, now: Context) -> list[Event]:
    """Book it."""
    held = account.balance if account else 0
    said = Booked(
        person_id=command.person_id,
        order_id=command.order_id,
        number=command.number,
        amount=command.amount,
        balance=held + command.amount,
    )
    return [said]


def evolve_account(account: Account | None, event: Booked) -> Account:
    """The account after it."""
    return after(account or Account(id=event.person_id), event)


ACCOUNTS = Aggregate("accounts", Account, decide_account, evolve_account)

handlers = Handlers()


@handlers.on(Ordered)
def book(event: Ordered) -> list[Step]:
    """Every order is booked."""
    command = Book(
        person_id=event.person_id,
        order_id=event.order_id,
        number=event.number,
        amount=event.amount,
    )
    return [Do(ACCOUNTS, event.person_id, command)]


class Place(Command):
    """Take one order."""

    person_id: Id
    order: Order


def decide_buyer(buyer: Buyer | None, command: Place, now: Context) -> list[Event]:
    """Number it."""
    number = (buyer.orders if buyer else 0) + 1
    return [Ordered(person_id=command.person_id, number=number, **command.order.model_dump())]


def evolve_buyer(buyer: Buyer | None, event: Ordered) -> Buyer:
    """One more, and what it cost."""
    spent = (buyer.spent if buyer else 0) + event.amount
    return Buyer(id=event.person_id, orders=event.number, spent=spent)


BUYERS = Aggregate("buyers", Buyer, decide_buyer, evolve_buyer)

router = Router(tags=["orders"])


@router.post("/people/{person_id}/orders", policy=Role("operator"), status=201)
async def place_order(person_id: Id, body: Order, intent: Intent) -> Reply[Buyer]:
    """Take one order."""
    command = Place(person_id=person_id, order=body)
    return await intent.run(Do(BUYERS, person_id, command), reply=lambda state: state)


def trace(app: FastAPI, settings: Settings) -> None:
    """With BENCH_TRACE, note when each commit with events came back, by id and cause."""
    path = os.environ.get("BENCH_TRACE")
    if path is None:
        return
    writer, seen = app.state.runtime.writer, list[tuple[float, str, str]]()
    offer = writer.offer

    def noting(document: dict[str, Any], events: list[Envelope]) -> None:
        at = time.time()
        seen.extend((at, event.id, event.cause) for event in events)
        offer(document, events)

    writer.offer = noting
    app.state.trace = (Path(path), seen)


@asynccontextmanager
async def written(app: FastAPI) -> AsyncIterator[None]:
    """Write down at the end what was noted."""
    yield
    if found := getattr(app.state, "trace", None):
        path, seen = found
        path.write_bytes(orjson.dumps(seen))


TAKES = Service(SOURCE, Settings, [router], Handlers(), [BUYERS], configure=trace, lifespan=written)
BOOKS = Service(SINK, Settings, [], handlers, [ACCOUNTS], configure=trace, lifespan=written)


if __name__ == "__main__":
    (TAKES if sys.argv[1:] == ["source"] else BOOKS).run()
