"""Fairs, and women who are ready for them, to begin a test with."""

from collections.abc import Sequence
from datetime import date, timedelta

from services.trade.domain.fairs import FAIRS, Fair, Plan, Publish
from services.trade.domain.places import PLACES, Apply, Place
from services.trade.handlers import handlers
from shared.events.enrollment import ApplicantEnrolled, EnrolmentWithdrawn
from shared.events.training import CertificateIssued, CompletionRevoked
from shared.model import Do, Event
from tests.support.spec import NOON
from tests.support.world import World

PLAN = Plan(
    kind="fair",
    country="CO",
    starts_on=date(2026, 11, 18),
    places=2,
    requirements=("enrolled", "course:course-1"),
    offer_seconds=60,
)
LATE = NOON + timedelta(seconds=60)


def enrolled(person_id: str, call_id: str = "call-1") -> ApplicantEnrolled:
    """Enrollment says that she is in."""
    return ApplicantEnrolled(
        person_id=person_id, enrolment_id=f"{person_id}:{call_id}", call_id=call_id
    )


def withdrawn(person_id: str, call_id: str = "call-1") -> EnrolmentWithdrawn:
    """Enrollment says that she left a call."""
    return EnrolmentWithdrawn(
        person_id=person_id,
        enrolment_id=f"{person_id}:{call_id}",
        call_id=call_id,
        reason_code="no-time",
    )


def certified(person_id: str) -> CertificateIssued:
    """Training says that she holds the certificate of course-1."""
    certificate_id = f"{person_id}:course-1"
    return CertificateIssued(
        person_id=person_id, certificate_id=certificate_id, course_id="course-1"
    )


def revoked(person_id: str) -> CompletionRevoked:
    """Training takes that certificate back."""
    return CompletionRevoked(
        person_id=person_id,
        certificate_id=f"{person_id}:course-1",
        course_id="course-1",
        reason_code="issued-by-mistake",
    )


def publish(fair_id: str = "fair-1", places: int = 2, starts_on: date = PLAN.starts_on) -> Do:
    """The trade desk publishes a fair."""
    plan = PLAN.model_copy(update={"places": places, "starts_on": starts_on})
    return Do(FAIRS, fair_id, Publish(fair_id=fair_id, plan=plan))


def hall(women: int, places: int = 2) -> World:
    """A world with one fair and so many women who are ready for it: ana-0, ana-1 …"""
    world = World(handlers)
    world.run(publish(places=places))
    for number in range(women):
        world.consume(enrolled(f"ana-{number}"))
        world.consume(certified(f"ana-{number}"))
    world.published.clear()
    return world


def place_of(person_id: str, fair_id: str = "fair-1") -> str:
    """The id of her place."""
    return f"{person_id}:{fair_id}"


def apply(person_id: str, fair_id: str = "fair-1") -> Do:
    """She asks for a place."""
    place_id = place_of(person_id, fair_id)
    return Do(PLACES, place_id, Apply(place_id=place_id, person_id=person_id, fair_id=fair_id))


def place(world: World, person_id: str) -> Place:
    """Her place as it stands."""
    found: Place = world.get(PLACES, place_of(person_id))
    return found


def fair(world: World) -> Fair:
    """The fair as it stands."""
    found: Fair = world.get(FAIRS, "fair-1")
    return found


def names(events: Sequence[Event]) -> list[str]:
    """Who and what, in the order in which it was published."""
    return [f"{getattr(event, 'person_id', '')} {type(event).__name__}" for event in events]
