"""Two tiny services for tests of the chassis: a shelf that lends, and a reader that counts."""

from typing import Literal

from shared.chassis.http import Intent, Query, Reply, Router
from shared.chassis.policy import Role
from shared.chassis.service import Service
from shared.chassis.settings import ServiceSettings, service_config
from shared.model import Aggregate, Command, Context, Do, Event, Frozen, Handlers, Refused, Step
from shared.types import Code, Count, Id, Moment, PositiveCount


class BookLent(Event, type="telar.shelf.book-lent.v1", key="reader_id"):
    """A book went to a reader."""

    reader_id: Id
    number: Count


huge: set[int] = set()
"""Numbers with which a count grows beyond what can be stored; a test clears the set."""


def grown(count: int, number: int) -> int:
    return 2**64 if number in huge else count + number


class Shelf(Frozen):
    id: Id
    lent: Count = 0
    status: Literal["open", "shut"] = "open"


class Lend(Command):
    shelf_id: Id
    reader_id: Id
    number: PositiveCount


class Crash(Command):
    pass


def decide_shelf(shelf: Shelf | None, command: Lend | Crash, now: Context) -> list[Event]:
    match command:
        case Lend(reader_id=reader_id, number=number):
            if number > 100:
                raise Refused("too-many-books")
            return [BookLent(reader_id=reader_id, number=number)]
        case Crash():
            raise ZeroDivisionError


def evolve_shelf(shelf: Shelf | None, event: Event) -> Shelf | None:
    match event:
        case BookLent():
            shelf = shelf or Shelf(id="shelf")
            return shelf.model_copy(update={"lent": grown(shelf.lent, event.number)})
    return shelf


SHELVES = Aggregate("shelves", Shelf, decide_shelf, evolve_shelf)


class Lending(Frozen):
    reader_id: Id
    number: PositiveCount
    note: Code | None = None


shelf = Router(tags=["shelf"])


@shelf.post("/shelves/{shelf_id}/loans", policy=Role("operator"), status=201)
async def lend(shelf_id: Id, body: Lending, intent: Intent) -> Reply[Shelf]:
    command = Lend(shelf_id=shelf_id, reader_id=body.reader_id, number=body.number)
    return await intent.run(Do(SHELVES, shelf_id, command), reply=lambda state: state)


@shelf.post("/shelves/{shelf_id}/crash", policy=Role("operator"))
async def crash(shelf_id: Id, intent: Intent) -> Reply[Shelf]:
    return await intent.run(Do(SHELVES, shelf_id, Crash()), reply=lambda state: state)


@shelf.get("/shelves/{shelf_id}", policy=Role("operator"))
async def get_shelf(shelf_id: Id, query: Query) -> Shelf:
    return await query.get(SHELVES, shelf_id, unknown="shelf-unknown")


class Card(Frozen):
    id: Id
    books: Count = 0
    loans: tuple[Count, ...] = ()


class Note(Command):
    reader_id: Id
    number: Count


class Noted(Event):
    reader_id: Id
    number: Count


poison: set[int] = set()
"""Numbers on which the handler has a bug; a test mends it by clearing the set."""


def decide_card(card: Card | None, command: Note, now: Context) -> list[Event]:
    if command.number in poison:
        raise ZeroDivisionError
    return [Noted(reader_id=command.reader_id, number=command.number)]


def evolve_card(card: Card | None, event: Noted) -> Card:
    card = card or Card(id=event.reader_id)
    loans = (*card.loans, event.number)
    return card.model_copy(update={"books": grown(card.books, event.number), "loans": loans})


CARDS = Aggregate("cards", Card, decide_card, evolve_card)


class BookPraised(Event, type="telar.shelf.book-praised.v1", key="reader_id"):
    """A reader liked a book."""

    reader_id: Id


class Alarm(Frozen):
    """Something with a deadline on which nothing ever happens."""

    id: Id
    at: Moment


ALARMS = Aggregate("alarms", Alarm, lambda *_: [], lambda alarm, _: alarm, lambda alarm: alarm.at)

handlers = Handlers()


@handlers.on(BookLent)
def note_loan(event: BookLent) -> list[Step]:
    return [Do(CARDS, event.reader_id, Note(reader_id=event.reader_id, number=event.number))]


class Settings(ServiceSettings):
    model_config = service_config("MINI_")


reader = Router(tags=["reader"])


@reader.get("/cards/{card_id}", policy=Role("operator"))
async def get_card(card_id: Id, query: Query) -> Card:
    return await query.get(CARDS, card_id, unknown="card-unknown")


SHELF = Service(
    name="shelf",
    settings=Settings,
    routers=[shelf],
    handlers=Handlers(),
    aggregates=[SHELVES],
)
READER = Service(
    name="reader",
    settings=Settings,
    routers=[reader],
    handlers=handlers,
    aggregates=[CARDS, ALARMS],
)

praise = Handlers()


@praise.on(BookPraised)
def note_praise(event: BookPraised) -> list[Step]:
    return []


DEAF = Service(
    name="reader",
    settings=Settings,
    routers=[reader],
    handlers=praise,
    aggregates=[CARDS],
)
"""The reader as it was before it handled what is lent."""
