"""Three services small enough to reason about, which between them use all that the core offers.

    shop   (2 replicas)  entries of an account; seats of a room, scarce and held for a while;
                         sides of a pair, of which only one may be taken
    desk   (2 replicas)  mirrors what shop says, and notes every entry in an event of its own
    view   (1 replica)   only reads, shop and desk

shop hears desk's notes: every accepted entry goes around once, from shop to desk to shop and view.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from pydantic import Field

from shared.chassis.ports import Store
from shared.model import Aggregate, Command, Context, Do, Event, Frozen, Handlers, Refused, Step
from shared.model import Tick as Clock

SEATS = 3
HELD_FOR = timedelta(seconds=6)
MOST = 100

poison: set[str] = set()
"""Operations on which desk's handler has a bug for now."""
poisoned: Counter[str] = Counter()
"""How often it failed by that, by operation."""


class EntryMade(Event, type="telar.shop.entry-made.v1", key="account"):
    """An entry stands in an account."""

    account: str
    op: str


class SeatTaken(Event, type="telar.shop.seat-taken.v1", key="room"):
    """A seat is held for an account."""

    room: str
    op: str
    account: str


class SeatKept(Event, type="telar.shop.seat-kept.v1", key="room"):
    """A held seat is hers for good."""

    room: str
    op: str


class SeatLost(Event, type="telar.shop.seat-lost.v1", key="room"):
    """A held seat was not confirmed in time."""

    room: str
    op: str


class SideTaken(Event, type="telar.shop.side-taken.v1", key="side"):
    """One side of a pair is taken."""

    side: str
    op: str


class EntryNoted(Event, type="telar.desk.entry-noted.v1", key="account"):
    """desk has mirrored an entry, as its `place`th of this account."""

    account: str
    op: str
    place: int


class Log(Frozen):
    """Operations in the order in which they took effect."""

    id: str
    ops: tuple[str, ...] = ()


class Append(Command):
    id: str
    op: str
    amount: int = 1


class Appended(Event):
    """Internal: it is only kept."""

    id: str
    op: str


def evolve_log(log: Log | None, event: Event) -> Log | None:
    match event:
        case EntryMade(account=id_, op=op) | EntryNoted(account=id_, op=op):
            return Log(id=id_, ops=(*(log.ops if log else ()), op))
        case Appended(id=id_, op=op):
            return Log(id=id_, ops=(*(log.ops if log else ()), op))
    return log


def decide_account(log: Log | None, command: Append, now: Context) -> list[Event]:
    if command.amount > MOST:
        raise Refused("too-much")
    return [EntryMade(account=command.id, op=command.op)]


def decide_mirror(log: Log | None, command: Append, now: Context) -> list[Event]:
    if command.op in poison:
        poisoned[command.op] += 1
        raise ZeroDivisionError
    if command.op.endswith("-x"):
        raise Refused("not-wanted")
    return [EntryNoted(account=command.id, op=command.op, place=len(log.ops) + 1 if log else 1)]


def decide_kept(log: Log | None, command: Append, now: Context) -> list[Event]:
    return [Appended(id=command.id, op=command.op)]


ACCOUNTS = Aggregate("accounts", Log, decide_account, evolve_log)
ECHOES = Aggregate("echoes", Log, decide_kept, evolve_log)
MIRRORS = Aggregate("mirrors", Log, decide_mirror, evolve_log)
HALLS = Aggregate("halls", Log, decide_kept, evolve_log)
LINES = Aggregate("lines", Log, decide_kept, evolve_log)


class Room(Frozen):
    id: str
    held: Mapping[str, datetime] = Field(default_factory=dict)
    kept: tuple[str, ...] = ()


class Take(Command):
    room: str
    op: str
    account: str


class Keep(Command):
    op: str


class Held(Event):
    """Internal: until when."""

    room: str
    op: str
    until: datetime


def decide_room(room: Room | None, command: Take | Keep | Clock, now: Context) -> list[Event]:
    match command:
        case Take(room=id_, op=op, account=account):
            if room and len(room.held) + len(room.kept) >= SEATS:
                raise Refused("room-full")
            until = now.at + HELD_FOR
            return [SeatTaken(room=id_, op=op, account=account), Held(room=id_, op=op, until=until)]
        case Keep(op=op) if room and op in room.kept:
            return []
        case Keep(op=op) if room and op in room.held and now.at < room.held[op]:
            return [SeatKept(room=room.id, op=op)]
        case Clock() if room:
            over = [op for op, until in room.held.items() if now.at >= until]
            return [SeatLost(room=room.id, op=op) for op in over]
    raise Refused("seat-unknown")


def evolve_room(room: Room | None, event: Event) -> Room | None:
    match event:
        case Held():
            room = room or Room(id=event.room)
            return room.model_copy(update={"held": {**room.held, event.op: event.until}})
        case SeatKept(op=op) | SeatLost(op=op):
            assert room
            held = {name: until for name, until in room.held.items() if name != op}
            kept = (*room.kept, op) if isinstance(event, SeatKept) else room.kept
            return Room(id=room.id, held=held, kept=kept)
    return room


def due_room(room: Room) -> datetime | None:
    return min(room.held.values(), default=None)


async def admit(store: Store, room: str) -> bool:
    """Whether a route lets a seat be taken at all: the room itself decides."""
    return True


async def _seats(store: Store, room: str) -> int:
    """What a route would count that did not leave it to the room."""
    found = await store.get("rooms", room) or {"held": (), "kept": ()}
    return len(found["held"]) + len(found["kept"])


ROOMS = Aggregate("rooms", Room, decide_room, evolve_room, due_room)


class Side(Frozen):
    id: str
    taken: tuple[str, ...] = ()


class Prepare(Command):
    id: str


class Claim(Command):
    side: str
    op: str


class Yield(Command):
    """Is this side free? An empty answer says so."""


class Prepared(Event):
    """Internal."""

    id: str


def decide_side(side: Side | None, command: Prepare | Claim | Yield, now: Context) -> list[Event]:
    match command:
        case Prepare(id=id_):
            return [] if side else [Prepared(id=id_)]
        case Yield() if side and side.taken:
            raise Refused("other-side-taken")
        case Yield():
            return []
        case Claim(side=id_, op=op) if side:
            return [SideTaken(side=id_, op=op)]
    raise Refused("side-unknown")


def evolve_side(side: Side | None, event: Event) -> Side | None:
    match event:
        case Prepared(id=id_):
            return Side(id=id_)
        case SideTaken(op=op) if side:
            return Side(id=side.id, taken=(*side.taken, op))
    return side


SIDES = Aggregate("sides", Side, decide_side, evolve_side)

shop, desk, view = Handlers(), Handlers(), Handlers()


@shop.on(SeatTaken)
def book_seat(event: SeatTaken) -> list[Step]:
    return [Do(ACCOUNTS, event.account, Append(id=event.account, op=f"{event.op}-seat"))]


@shop.on(EntryNoted)
def echo(event: EntryNoted) -> list[Step]:
    return [Do(ECHOES, event.account, Append(id=event.account, op=event.op))]


@desk.on(EntryMade, may_refuse={"not-wanted"})
def mirror(event: EntryMade) -> list[Step]:
    return [Do(MIRRORS, event.account, Append(id=event.account, op=event.op))]


@desk.on(SeatTaken, SeatKept, SeatLost)
def follow_room(event: SeatTaken | SeatKept | SeatLost) -> list[Step]:
    what = f"{type(event).__name__[4:].lower()}:{event.op}"
    return [Do(HALLS, event.room, Append(id=event.room, op=what))]


@view.on(EntryMade)
def show_made(event: EntryMade) -> list[Step]:
    line = f"{event.account}-made"
    return [Do(LINES, line, Append(id=line, op=event.op))]


@view.on(EntryNoted)
def show_noted(event: EntryNoted) -> list[Step]:
    line = f"{event.account}-noted"
    return [Do(LINES, line, Append(id=line, op=event.op))]


RULES = {
    "shop": (shop, [ACCOUNTS, ECHOES, ROOMS, SIDES]),
    "desk": (desk, [MIRRORS, HALLS]),
    "view": (view, [LINES]),
}
REPLICAS = {"shop": 2, "desk": 2, "view": 1}
