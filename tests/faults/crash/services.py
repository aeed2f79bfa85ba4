"""Two tiny services that together walk every path of the core.

    POST loans    shelf: two aggregates in one intent ─> BookLent ──────┐
    POST recalls  shelf: a deadline ─> Tick ─> BookRecalled ────────────┤
                  reader: card ─> own reaction ─> CardNoted ────────────┘
                  shelf: receipts

A few numbers make trouble: the handler fails at first, or the record is lost on its way to Kafka.
"""

import time
from datetime import datetime, timedelta

from shared.chassis.http import Intent, Query, Reply, Router
from shared.chassis.policy import Role
from shared.chassis.service import Service
from shared.model import (
    Aggregate,
    Command,
    Context,
    Do,
    Event,
    Frozen,
    Handlers,
    Refused,
    Step,
    Tick,
)
from shared.types import Count, Id, Moment
from tests.support import mini

FLAKY, LOST, LOST_TAIL = 13, 17, 19
"""A handler fails at it for a while; its record is lost once; the same, and it is the last one."""

ILL_FOR = 0.3
"""Seconds for which a process's handler fails at a flaky number."""

OVERDUE = timedelta(milliseconds=150)
"""How soon a recall is due."""


class BookRecalled(Event, type="telar.shelf.book-recalled.v1", key="reader_id"):
    """A book is wanted back."""

    reader_id: Id
    number: Count


class CardNoted(Event, type="telar.reader.card-noted.v1", key="reader_id"):
    """The reader's card has one more line."""

    reader_id: Id
    number: Count


class Lines(Frozen):
    id: Id
    numbers: tuple[Count, ...] = ()


class Line(Command):
    reader_id: Id
    number: Count


class Lined(Event):
    reader_id: Id
    number: Count


def decide_line(lines: Lines | None, command: Line, now: Context) -> list[Event]:
    return [Lined(reader_id=command.reader_id, number=command.number)]


def decide_slip(lines: Lines | None, command: Line, now: Context) -> list[Event]:
    return [CardNoted(reader_id=command.reader_id, number=command.number)]


def evolve_lines(lines: Lines | None, event: Lined | CardNoted) -> Lines:
    before = lines.numbers if lines else ()
    return Lines(id=event.reader_id, numbers=(*before, event.number))


LEDGERS = Aggregate("ledgers", Lines, decide_line, evolve_lines)
RECEIPTS = Aggregate("receipts", Lines, decide_line, evolve_lines)
SLIPS = Aggregate("slips", Lines, decide_slip, evolve_lines)


class Recall(Frozen):
    id: Id
    reader_id: Id
    number: Count
    at: Moment | None = None


class Plan(Command):
    reader_id: Id
    number: Count


class RecallPlanned(Event):
    reader_id: Id
    number: Count
    at: Moment


def decide_recall(recall: Recall | None, command: Plan | Tick, now: Context) -> list[Event]:
    match recall, command:
        case None, Plan(reader_id=reader_id, number=number):
            if number > 100:
                raise Refused("too-many-books")
            return [RecallPlanned(reader_id=reader_id, number=number, at=now.at + OVERDUE)]
        case Recall(at=datetime() as at), Tick() if now.at >= at:
            return [BookRecalled(reader_id=recall.reader_id, number=recall.number)]
    return []


def evolve_recall(recall: Recall | None, event: RecallPlanned | BookRecalled) -> Recall:
    at = event.at if isinstance(event, RecallPlanned) else None
    return Recall(id="recall", reader_id=event.reader_id, number=event.number, at=at)


RECALLS = Aggregate("recalls", Recall, decide_recall, evolve_recall, lambda recall: recall.at)

shelf = Router(tags=["shelf"])


@shelf.post("/shelves/{shelf_id}/loans", policy=Role("operator"), status=201)
async def lend_and_enter(shelf_id: Id, body: mini.Lending, intent: Intent) -> Reply[mini.Shelf]:
    reader_id, number = body.reader_id, body.number
    return await intent.run(
        Do(
            mini.SHELVES, shelf_id, mini.Lend(shelf_id=shelf_id, reader_id=reader_id, number=number)
        ),
        Do(LEDGERS, reader_id, Line(reader_id=reader_id, number=number)),
        reply=lambda state: state,
    )


@shelf.post("/shelves/{shelf_id}/recalls", policy=Role("operator"), status=201)
async def plan_recall(shelf_id: Id, body: mini.Lending, intent: Intent) -> Reply[Recall]:
    reader_id, number = body.reader_id, body.number
    plan = Plan(reader_id=reader_id, number=number)
    return await intent.run(Do(RECALLS, f"{reader_id}:{number}", plan), reply=lambda state: state)


@shelf.get("/shelves/{shelf_id}", policy=Role("operator"))
async def get_crash_shelf(shelf_id: Id, query: Query) -> mini.Shelf:
    return await query.get(mini.SHELVES, shelf_id, unknown="shelf-unknown")


@shelf.get("/scratch", policy=Role("operator"))
async def forget_scratch(query: Query) -> Lines:
    await query.store.forget(["scratch"])
    return Lines(id="scratch")


shelf_handlers, reader_handlers, old_handlers = Handlers(), Handlers(), Handlers()
_first_seen: dict[tuple[str, int], float] = {}


@shelf_handlers.on(CardNoted)
def receive(event: CardNoted) -> list[Step]:
    line = Line(reader_id=event.reader_id, number=event.number)
    return [Do(RECEIPTS, event.reader_id, line)]


@reader_handlers.on(mini.BookLent, BookRecalled)
def note(event: mini.BookLent | BookRecalled) -> list[Step]:
    if event.number == FLAKY:
        first = _first_seen.setdefault((event.reader_id, event.number), time.monotonic())
        if time.monotonic() - first < ILL_FOR:
            raise ZeroDivisionError
    command = mini.Note(reader_id=event.reader_id, number=event.number)
    return [Do(mini.CARDS, event.reader_id, command)]


old_handlers.on(mini.BookLent)(note)


@reader_handlers.on(mini.Noted)
@old_handlers.on(mini.Noted)
def stamp(event: mini.Noted) -> list[Step]:
    line = Line(reader_id=event.reader_id, number=event.number)
    return [Do(SLIPS, event.reader_id, line)]


SERVICES = {
    "shelf": Service(
        name="shelf",
        settings=mini.Settings,
        routers=[shelf],
        handlers=shelf_handlers,
        aggregates=[mini.SHELVES, LEDGERS, RECALLS, RECEIPTS],
    ),
    "reader": Service(
        name="reader",
        settings=mini.Settings,
        routers=[mini.reader],
        handlers=reader_handlers,
        aggregates=[mini.CARDS, SLIPS],
    ),
    "reader-old": Service(
        name="reader",
        settings=mini.Settings,
        routers=[mini.reader],
        handlers=old_handlers,
        aggregates=[mini.CARDS, SLIPS],
    ),
}
"""The reader's older release does not handle recalls."""
