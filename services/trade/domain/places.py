"""A place: one woman's way into one delegation, from asking to confirming or giving back."""

from datetime import datetime, timedelta
from typing import Literal

from shared.events.trade import (
    PlaceApplied,
    PlaceConfirmed,
    PlaceOffered,
    PlaceOfferExpired,
    PlacePromoted,
    PlaceWaitlisted,
    PlaceWithdrawn,
)
from shared.model import Aggregate, Command, Context, Event, Frozen, Refused, Tick, Unknown
from shared.types import Code, Count, Id, Moment, PositiveCount

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
    id: Id
    person_id: Id
    fair_id: Id
    status: PlaceStatus = "applied"
    rank: Count = 0
    expires_at: Moment | None = None
    reason_code: Code | None = None


class Apply(Command):
    place_id: Id
    person_id: Id
    fair_id: Id


class Keep(Command):
    """The fair keeps a place for her, for so long."""

    seconds: PositiveCount


class Queue(Command):
    rank: PositiveCount


class Confirm(Command):
    """She will go."""


class Withdraw(Command):
    reason_code: Code


def decide(
    place: Place | None, command: Apply | Keep | Queue | Confirm | Withdraw | Tick, now: Context
) -> list[Event]:
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
        case Place(status="expired" | "withdrawn"), Withdraw():
            return []
        case Place(), Withdraw(reason_code=reason):
            return [PlaceWithdrawn(**_named(place), reason_code=reason)]
    return []


def _apply(place: Place | None, command: Apply) -> list[Event]:
    if place is not None and place.status not in ("expired", "withdrawn"):
        return []
    return [PlaceApplied(**dict(command))]


def _named(place: Place) -> dict[str, str]:
    return {"person_id": place.person_id, "place_id": place.id, "fair_id": place.fair_id}


def evolve(place: Place | None, event: Event) -> Place | None:
    if isinstance(event, PlaceApplied):
        return Place(id=event.place_id, person_id=event.person_id, fair_id=event.fair_id)
    return None if place is None else place.model_copy(update=_changes(event))


def _changes(event: Event) -> dict[str, object]:
    match event:
        case PlaceOffered(expires_at=until) | PlacePromoted(expires_at=until):
            return {"status": "offered", "expires_at": until}
        case PlaceWaitlisted(rank=rank):
            return {"status": "waitlisted", "rank": rank}
        case PlaceConfirmed():
            return {"status": "confirmed"}
        case PlaceOfferExpired():
            return {"status": "expired"}
        case PlaceWithdrawn(reason_code=reason):
            return {"status": "withdrawn", "reason_code": reason}
    return {}


def due(place: Place) -> datetime | None:
    return place.expires_at if place.status == "offered" else None


PLACES = Aggregate("places", Place, decide, evolve, due)
