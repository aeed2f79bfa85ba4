"""The facts that the trade service publishes: readiness, fairs and the places of delegations."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from shared.model import Event
from shared.types import Code, Day, Flag, Id, Moment, PositiveCount

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""A country by its two letters of ISO 3166-1."""

Requirement = Annotated[
    str, StringConstraints(pattern=r"^(enrolled|course:[a-z0-9][a-z0-9:_-]{0,119})$")
]
"""What a fair asks of her: `enrolled`, or `course:` and the id of a course."""


class Leaf(BaseModel):
    """One condition of her readiness, its result (met, unmet or unknown), and why it was lost."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    code: Requirement
    result: Code
    reason_code: Code | None = None


class FairPublished(Event, type="telar.trade.fair-published.v1", key="fair_id"):
    """A fair, mission or exhibition takes applications for its delegation."""

    fair_id: Id
    kind: Code
    country: Country
    starts_on: Day
    places: PositiveCount
    requirements: tuple[Requirement, ...] = ()


class FairCancelled(Event, type="telar.trade.fair-cancelled.v1", key="fair_id"):
    """The fair will not take place; every place and the wait list are being undone."""

    fair_id: Id
    kind: Code
    country: Country
    starts_on: Day
    places: PositiveCount
    requirements: tuple[Requirement, ...] = ()


class ReadinessAssessed(Event, type="telar.trade.readiness-assessed.v1", key="person_id"):
    """What is known of her readiness to sell abroad has changed."""

    person_id: Id
    met: Flag
    leaves: tuple[Leaf, ...]


class PlaceApplied(Event, type="telar.trade.place-applied.v1", key="person_id"):
    """She asked for a place in the delegation of a fair."""

    person_id: Id
    place_id: Id
    fair_id: Id


class PlaceOffered(Event, type="telar.trade.place-offered.v1", key="person_id"):
    """A place is kept for her until the offer expires."""

    person_id: Id
    place_id: Id
    fair_id: Id
    expires_at: Moment


class PlaceWaitlisted(Event, type="telar.trade.place-waitlisted.v1", key="person_id"):
    """The delegation is full; she has this rank in its wait list."""

    person_id: Id
    place_id: Id
    fair_id: Id
    rank: PositiveCount


class PlacePromoted(Event, type="telar.trade.place-promoted.v1", key="person_id"):
    """Off the wait list: a place is kept for her and the offer has its own clock."""

    person_id: Id
    place_id: Id
    fair_id: Id
    expires_at: Moment


class PlaceConfirmed(Event, type="telar.trade.place-confirmed.v1", key="person_id"):
    """She confirmed in time that she will go."""

    person_id: Id
    place_id: Id
    fair_id: Id


class PlaceOfferExpired(Event, type="telar.trade.place-offer-expired.v1", key="person_id"):
    """She did not answer in time; the place goes to the next in rank."""

    person_id: Id
    place_id: Id
    fair_id: Id


class PlaceWithdrawn(Event, type="telar.trade.place-withdrawn.v1", key="person_id"):
    """Her place or her wait ended, with the reason."""

    person_id: Id
    place_id: Id
    fair_id: Id
    reason_code: Code
