"""The work that every side does: an order arrives, an account moves, a booking is published.

`check` is folded from the numbers in their order, so that a lost, doubled or overtaken order
shows in the state itself, whichever side kept it.
"""

import os

from shared.model import Command, Event, Frozen
from shared.types import Centavos, Code, Count, Id, PositiveCentavos, PositiveCount

SOURCE = "source"
SINK = os.environ.get("BENCH_SINK", "ledger")
"""The name of the consuming service: its group, database and topic. One of its own a run."""

SOURCE_TOPIC, SINK_TOPIC = f"telar.{SOURCE}", f"telar.{SINK}"


class Ordered(Event, type=f"telar.{SOURCE}.ordered.v1", key="person_id"):
    """Somebody ordered something; the orders of a person are numbered."""

    person_id: Id
    order_id: Id
    number: PositiveCount
    amount: PositiveCentavos
    product: Code
    units: PositiveCount


class Booked(Event, type=f"telar.{SINK}.booked.v1", key="person_id"):
    """An order was booked to an account."""

    person_id: Id
    order_id: Id
    number: PositiveCount
    amount: PositiveCentavos
    balance: Centavos


class Book(Command):
    """Book one order."""

    person_id: Id
    order_id: Id
    number: PositiveCount
    amount: PositiveCentavos


class Account(Frozen):
    """What a person's orders came to."""

    id: Id
    orders: Count = 0
    balance: Centavos = 0
    last_order_id: Id | None = None
    check: Count = 0


class Order(Frozen):
    """The body of the HTTP command."""

    order_id: Id
    amount: PositiveCentavos
    product: Code
    units: PositiveCount


class Buyer(Frozen):
    """What a person ordered so far, where orders are taken."""

    id: Id
    orders: Count = 0
    spent: Centavos = 0


def fold(check: int, number: int) -> int:
    """The next value of `check`."""
    return (check * 31 + number) % 999_983


def after(account: Account, event: Booked) -> Account:
    """The account after one more booking."""
    return Account(
        id=event.person_id,
        orders=account.orders + 1,
        balance=event.balance,
        last_order_id=event.order_id,
        check=fold(account.check, event.number),
    )
