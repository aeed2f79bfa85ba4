"""A fair, mission or exhibition: a delegation of limited places and a ranked wait list.

A place is held, kept for someone who was offered it, or free. While anyone waits none is free:
whatever frees one offers it at once to the first in line. When the fair begins nobody waits any
more, and no offer outlives that moment: who has confirmed by then has been there, whatever comes
later.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from shared.events.trade import Country, FairCancelled, FairPublished, Requirement
from shared.model import Aggregate, Command, Context, Event, Frozen, Refused, Tick, Unknown
from shared.types import MAX_COUNT, Code, Id, Moment, PositiveCount, StoredDay, start_of

PAGE = 100
"""So many places and waits end in one intent; the clock does the rest."""

MAX_WAITING = 5_000
"""The list is part of one document, which has a largest size."""

Places = Annotated[int, Field(strict=True, ge=1, le=2_000)]
OfferSeconds = Annotated[int, Field(strict=True, ge=1, le=90 * 24 * 3600)]
Kind = Literal["fair", "mission", "exhibition"]


class Plan(Frozen):
    """What the trade desk decides about a fair before it is published."""

    kind: Kind
    country: Country
    starts_on: StoredDay
    places: Places
    requirements: Annotated[tuple[Requirement, ...], Field(max_length=20)] = ()
    offer_seconds: OfferSeconds

    @property
    def begins_at(self) -> datetime:
        """The first moment at which nobody can ask for a place any more."""
        return start_of(self.starts_on)


class Fair(Plan):
    """Who has, is offered, or waits for a place of the delegation."""

    id: Id
    status: Literal["published", "cancelled"] = "published"
    taken: tuple[Id, ...] = ()
    confirmed: tuple[Id, ...] = ()
    waiting: tuple[Id, ...] = ()
    last_rank: Annotated[int, Field(strict=True, ge=0)] = 0
    undo_at: Moment | None = None


class Publish(Command):
    fair_id: Id
    plan: Plan


class Cancel(Command):
    """It will not take place: every place and wait is undone."""


class Ask(Command):
    """She wants to come: what does the fair require?"""

    place_id: Id
    person_id: Id


class Take(Command):
    """She meets what is required: a place, or a rank."""

    place_id: Id


class Settle(Command):
    """She confirmed: the place that was kept for her is hers."""

    place_id: Id
    person_id: Id


class Leave(Command):
    """A place, an offer or a wait has ended."""

    place_id: Id


class Free(Command):
    """She left the programme: what she has not been to yet is to be given back."""

    place_id: Id


class Planned(Event):
    """The plan of a fair, kept with its publication."""

    fair_id: Id
    plan: Plan


class Asked(Event):
    """She wants to come, and this is required of her."""

    place_id: Id
    person_id: Id
    fair_id: Id
    requirements: tuple[Requirement, ...]


class SeatKept(Event):
    """A place of the delegation is kept for her."""

    place_id: Id
    seconds: OfferSeconds


class Settled(Event):
    """A place that was offered is confirmed: she is away from this day on."""

    place_id: Id
    person_id: Id
    starts_on: StoredDay


class Queued(Event):
    """The delegation is full: she has a rank."""

    place_id: Id
    rank: PositiveCount


class Left(Event):
    """Somebody holds, is offered or awaits a place no more."""

    place_id: Id


class Freed(Event):
    """She has not been there: this place, offer or wait is to be given back."""

    place_id: Id


class Undone(Event):
    """The fair was cancelled, or began while they waited: these places end."""

    place_ids: tuple[Id, ...]
    reason_code: Code


class UndoLeft(Event):
    """More places are to be undone than one intent should move."""

    at: Moment


FairCommand = Publish | Cancel | Ask | Take | Settle | Leave | Free | Tick


def decide(fair: Fair | None, command: FairCommand, now: Context) -> list[Event]:
    if isinstance(command, Publish):
        return _publish(fair, command, now)
    if fair is None:
        raise Unknown("fair-unknown")
    match command:
        case Cancel():
            return _cancel(fair, now)
        case Ask():
            return _ask(fair, command, now)
        case Take(place_id=place_id):
            return _take(fair, place_id, now)
        case Settle(place_id=one) if one in fair.taken and one not in fair.confirmed:
            return [Settled(**dict(command), starts_on=fair.starts_on)]
        case Leave(place_id=place_id):
            return _leave(fair, place_id, now)
        case Free(place_id=one) if _knows(fair, one) and not _went(fair, one, now):
            return [Freed(place_id=one)]
        case Tick() if (at := due(fair)) and now.at >= at:
            return _undo(fair, now)
    return []


def _publish(fair: Fair | None, command: Publish, now: Context) -> list[Event]:
    if fair is not None:
        if fair.status == "cancelled" or any(getattr(fair, n) != v for n, v in command.plan):
            raise Refused("fair-exists")
        return []
    if now.at >= command.plan.begins_at:
        raise Refused("fair-started")
    plan = command.plan.model_dump(exclude={"offer_seconds"})
    return [Planned(**dict(command)), FairPublished(fair_id=command.fair_id, **plan)]


def _cancel(fair: Fair, now: Context) -> list[Event]:
    if fair.status == "cancelled":
        return []
    if now.at >= fair.begins_at:
        raise Refused("fair-started")
    plan = fair.model_dump(include=set(Plan.model_fields) - {"offer_seconds"})
    cancelled = FairCancelled(fair_id=fair.id, **plan)
    return [cancelled, *_undo(fair.model_copy(update={"status": "cancelled"}), now)]


def _undo(fair: Fair, now: Context) -> list[Event]:
    """A cancelled fair loses everyone, one that begins only those who still wait."""
    is_off = fair.status == "cancelled"
    # The wait list first: nobody is promoted into a fair that is being undone.
    left = (*fair.waiting, *fair.taken) if is_off else fair.waiting
    reason = "fair-cancelled" if is_off else "fair-started"
    undone = Undone(place_ids=left[:PAGE], reason_code=reason)
    return [undone, UndoLeft(at=now.at)] if len(left) > PAGE else [undone]


def _ask(fair: Fair, command: Ask, now: Context) -> list[Event]:
    if fair.status == "cancelled":
        raise Refused("fair-cancelled")
    if now.at >= fair.begins_at:
        raise Refused("fair-started")
    return [Asked(**dict(command), fair_id=fair.id, requirements=fair.requirements)]


def _take(fair: Fair, place_id: str, now: Context) -> list[Event]:
    if _knows(fair, place_id):
        return []
    if len(fair.taken) < fair.places:
        return [_kept(fair, place_id, now)]
    if len(fair.waiting) >= MAX_WAITING or fair.last_rank >= MAX_COUNT:
        raise Refused("fair-list-full")
    return [Queued(place_id=place_id, rank=fair.last_rank + 1)]


def _leave(fair: Fair, place_id: str, now: Context) -> list[Event]:
    if not _knows(fair, place_id):
        return []
    if _went(fair, place_id, now):
        raise Refused("fair-started")
    left = Left(place_id=place_id)
    is_open = fair.status == "published" and now.at < fair.begins_at
    if is_open and place_id in fair.taken and fair.waiting:
        return [left, _kept(fair, fair.waiting[0], now)]
    return [left]


def _knows(fair: Fair, place_id: str) -> bool:
    return place_id in fair.taken or place_id in fair.waiting


def _went(fair: Fair, place_id: str, now: Context) -> bool:
    is_on = fair.status == "published"  # who had a place of a cancelled one may leave at any time
    return is_on and place_id in fair.confirmed and now.at >= fair.begins_at


def _kept(fair: Fair, place_id: str, now: Context) -> SeatKept:
    until_it_begins = int((fair.begins_at - now.at).total_seconds())
    seconds = min(fair.offer_seconds, max(1, until_it_begins))
    return SeatKept(place_id=place_id, seconds=seconds)


def evolve(fair: Fair | None, event: Event) -> Fair | None:
    if isinstance(event, Planned):
        return Fair(id=event.fair_id, **dict(event.plan))
    return None if fair is None else fair.model_copy(update=_changes(fair, event))


def _changes(fair: Fair, event: Event) -> dict[str, object]:
    match event:
        case SeatKept(place_id=place_id):
            return _without(fair, {place_id}) | {"taken": (*fair.taken, place_id)}
        case Queued(place_id=place_id, rank=rank):
            return {"waiting": (*fair.waiting, place_id), "last_rank": rank}
        case Settled(place_id=place_id):
            return {"confirmed": (*fair.confirmed, place_id)}
        case Left(place_id=place_id):
            return _without(fair, {place_id})
        case FairCancelled():
            return {"status": "cancelled"}
        case Undone(place_ids=undone):
            return _without(fair, set(undone)) | {"undo_at": None}
        case UndoLeft(at=at):
            return {"undo_at": at}
    return {}


def _without(fair: Fair, gone: set[str]) -> dict[str, object]:
    lists = {"taken": fair.taken, "confirmed": fair.confirmed, "waiting": fair.waiting}
    return {name: tuple(one for one in ids if one not in gone) for name, ids in lists.items()}


def due(fair: Fair) -> datetime | None:
    return fair.undo_at or (fair.begins_at if fair.waiting else None)


FAIRS = Aggregate("fairs", Fair, decide, evolve, due)
