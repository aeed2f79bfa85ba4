"""A place: one woman's way into one delegation, from asking to confirming or giving back."""

from datetime import datetime, timedelta
from typing import Literal

from services.trade.domain.fairs import OfferSeconds
from shared.events.trade import (
    PlaceApplied,
    PlaceConfirmed,
    PlaceOffered,
    PlaceOfferExpired,
    PlacePromoted,
    PlaceWaitlisted,
    PlaceWithdrawn,
    Requirement,
)
from shared.model import Aggregate, Command, Context, Event, Frozen, Refused, Tick, Unknown
from shared.types import Code, Flag, Id, Moment, PositiveCount

PlaceStatus = Literal["applied", "waitlisted", "offered", "confirmed", "expired", "withdrawn"]

WithdrawReason = Literal[
    "no-time",
    "care-duties",
    "health",
    "travel-not-possible",
    "other-fair",
    "prefer-not-to-say",
]
"""Why she gives a place back herself; cancelled fairs and ended enrolments have their own codes."""


class Place(Frozen):
    """One woman in one delegation. `unmet`: what the fair requires and she has lost since."""

    id: Id
    person_id: Id
    fair_id: Id
    status: PlaceStatus = "applied"
    rank: PositiveCount | None = None
    expires_at: Moment | None = None
    reason_code: Code | None = None
    requirements: tuple[Requirement, ...] = ()
    unmet: tuple[Requirement, ...] = ()


class Apply(Command):
    place_id: Id
    person_id: Id
    fair_id: Id


class Keep(Command):
    """The fair keeps a place for her, for so long."""

    seconds: OfferSeconds


class Queue(Command):
    rank: PositiveCount


class Confirm(Command):
    """She will go."""


class Withdraw(Command):
    reason_code: Code


class Forsake(Command):
    """She left the programme: the fair says whether there is anything to give back."""


class Bind(Command):
    """The fair says what it requires of her."""

    requirements: tuple[Requirement, ...]


class Weigh(Command):
    """Something that a fair may require is true for her again, or no longer."""

    requirement: Requirement
    met: Flag


class Forsaken(Event):
    """She left the programme while she had, or awaited, this place."""

    place_id: Id
    fair_id: Id


class Bound(Event):
    """What the fair requires, as it stood when she asked for the place."""

    requirements: tuple[Requirement, ...]


class Weighed(Event):
    """What the fair requires and she has lost since."""

    unmet: tuple[Requirement, ...]


PlaceCommand = Apply | Keep | Queue | Confirm | Withdraw | Forsake | Bind | Weigh | Tick


def decide(place: Place | None, command: PlaceCommand, now: Context) -> list[Event]:
    if isinstance(command, Apply):
        return _apply(place, command)
    if place is None:
        raise Unknown("place-unknown")
    match place, command:
        case Place(status="applied" | "waitlisted"), Keep(seconds=seconds):
            until = now.at + timedelta(seconds=seconds)
            fact = PlacePromoted if place.status == "waitlisted" else PlaceOffered
            return [fact(**_named(place), expires_at=until)]
        case Place(status="applied"), Queue(rank=rank):
            return [PlaceWaitlisted(**_named(place), rank=rank)]
        case Place(status="offered", expires_at=until), Confirm() if until and now.at < until:
            return [PlaceConfirmed(**_named(place))]
        case Place(status="offered", expires_at=until), Tick() if until and now.at >= until:
            return [PlaceOfferExpired(**_named(place))]
        case Place(status="offered" | "expired"), Confirm():
            raise Refused("place-offer-expired")
        case Place(status="applied" | "waitlisted" | "withdrawn"), Confirm():
            raise Refused("place-not-offered")
        case Place(status="expired" | "withdrawn"), _:
            return []
        case Place(), Withdraw(reason_code=reason):
            return [PlaceWithdrawn(**_named(place), reason_code=reason)]
        case Place(), Forsake():
            return [Forsaken(place_id=place.id, fair_id=place.fair_id)]
        case Place(status="applied"), Bind(requirements=requirements):
            return [Bound(requirements=requirements)]
        case Place(), Weigh():
            return _weigh(place, command)
    return []


def _apply(place: Place | None, command: Apply) -> list[Event]:
    if place is not None and place.status not in ("expired", "withdrawn"):
        return []
    return [PlaceApplied(**dict(command))]


def _weigh(place: Place, command: Weigh) -> list[Event]:
    lost = set(place.unmet) - {command.requirement}
    if not command.met:
        lost.add(command.requirement)
    unmet = tuple(one for one in place.requirements if one in lost)
    return [] if unmet == place.unmet else [Weighed(unmet=unmet)]


def _named(place: Place) -> dict[str, str]:
    return {"person_id": place.person_id, "place_id": place.id, "fair_id": place.fair_id}


def evolve(place: Place | None, event: Event) -> Place | None:
    if isinstance(event, PlaceApplied):
        return Place(id=event.place_id, person_id=event.person_id, fair_id=event.fair_id)
    return None if place is None else place.model_copy(update=_changes(event))


def _changes(event: Event) -> dict[str, object]:
    match event:
        case PlaceOffered(expires_at=until) | PlacePromoted(expires_at=until):
            return {"status": "offered", "rank": None, "expires_at": until}
        case PlaceWaitlisted(rank=rank):
            return {"status": "waitlisted", "rank": rank}
        case PlaceConfirmed():
            return {"status": "confirmed", "expires_at": None}
        case PlaceOfferExpired():
            return {"status": "expired", "expires_at": None}
        case PlaceWithdrawn(reason_code=reason):
            gone = {"status": "withdrawn", "rank": None, "expires_at": None}
            return {**gone, "reason_code": reason}
        case Bound() | Weighed():
            return dict(event)
    return {}


def due(place: Place) -> datetime | None:
    return place.expires_at if place.status == "offered" else None


PLACES = Aggregate("places", Place, decide, evolve, due)
