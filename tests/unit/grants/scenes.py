"""A pool, a round and enrolled women to begin a test with."""

from collections.abc import Sequence
from datetime import timedelta

from services.grants.domain.applications import APPLICATIONS, Nominate, Submit
from services.grants.domain.awards import AWARDS, Approve, Award
from services.grants.domain.offers import Accept
from services.grants.domain.payments import PAYMENTS, Confirm
from services.grants.domain.pools import POOLS, OpenPool, Pool
from services.grants.domain.rounds import ROUNDS, Announce, Plan, TranchePlan
from services.grants.domain.tranches import Pay
from services.grants.handlers import handlers
from shared.events.enrollment import ApplicantEnrolled, EnrolmentWithdrawn
from shared.events.training import CertificateIssued, CompletionRevoked
from shared.model import Do, Event
from tests.support.spec import NOON
from tests.support.world import World

AMOUNT = 30_000
PLAN = Plan(
    pool_id="pool-1",
    opens_at=NOON - timedelta(days=1),
    closes_at=NOON + timedelta(days=1),
    min_amount=10_000,
    max_amount=90_000,
    offer_seconds=60,
    tranches=(TranchePlan(share=4_000), TranchePlan(share=6_000, course_id="course-1")),
)
LATE = NOON + timedelta(seconds=60)


def enrolled(person_id: str) -> ApplicantEnrolled:
    """Enrollment says that she is in."""
    return ApplicantEnrolled(
        person_id=person_id, enrolment_id=f"{person_id}:call-1", call_id="call-1"
    )


def withdrawn(person_id: str) -> EnrolmentWithdrawn:
    """Enrollment says that she is out."""
    return EnrolmentWithdrawn(
        person_id=person_id,
        enrolment_id=f"{person_id}:call-1",
        call_id="call-1",
        reason_code="no-time",
    )


def certified(person_id: str, course_id: str = "course-1") -> CertificateIssued:
    """Training says that she has the certificate."""
    certificate_id = f"{person_id}:{course_id}"
    return CertificateIssued(
        person_id=person_id, certificate_id=certificate_id, course_id=course_id
    )


def revoked(person_id: str, course_id: str = "course-1") -> CompletionRevoked:
    """Training says that the certificate does not stand."""
    return CompletionRevoked(
        person_id=person_id,
        certificate_id=f"{person_id}:{course_id}",
        course_id=course_id,
        reason_code="issued-by-mistake",
    )


def office(women: int, money: int) -> World:
    """A world with one round on a pool of so much, and enrolled women: ana-0, ana-1 …"""
    world = World(handlers)
    world.run(Do(POOLS, "pool-1", OpenPool(pool_id="pool-1", amount=money)))
    world.run(Do(ROUNDS, "round-1", Announce(round_id="round-1", plan=PLAN)))
    for number in range(women):
        world.consume(enrolled(f"ana-{number}"))
    world.published.clear()
    return world


def award_of(person_id: str) -> str:
    """The id of her award, and of her application."""
    return f"{person_id}:round-1"


def apply(person_id: str, amount: int = AMOUNT) -> Do:
    """She hands in an application."""
    id_ = award_of(person_id)
    submit = Submit(application_id=id_, person_id=person_id, round_id="round-1", amount=amount)
    return Do(APPLICATIONS, id_, submit)


def approved(world: World, person_id: str, amount: int = AMOUNT) -> list[Event]:
    """She applies, one proposes, another approves; what the approval published."""
    world.run(apply(person_id, amount))
    nominate = Nominate(amount=amount)
    world.run(Do(APPLICATIONS, award_of(person_id), nominate), actor="reviewer-1")
    return world.run(Do(AWARDS, award_of(person_id), Approve()), actor="approver-1")


def accepted(world: World, person_id: str, amount: int = AMOUNT) -> list[Event]:
    """All that, and she accepts; what the acceptance published."""
    approved(world, person_id, amount)
    return world.run(Do(AWARDS, award_of(person_id), Accept()), actor=person_id)


def paid(world: World, person_id: str, tranche: int) -> list[Event]:
    """A tranche is sent and confirmed; what the confirmation published."""
    world.run(Do(AWARDS, award_of(person_id), Pay(tranche=tranche)), actor="treasurer-1")
    return world.run(Do(PAYMENTS, f"{award_of(person_id)}:{tranche}:1", Confirm()))


def award(world: World, person_id: str) -> Award:
    """Her award as it stands."""
    found: Award = world.get(AWARDS, award_of(person_id))
    return found


def pool(world: World) -> Pool:
    """The pool as it stands."""
    found: Pool = world.get(POOLS, "pool-1")
    return found


def buckets(world: World) -> tuple[int, int, int, int]:
    """Available, reserved, committed, disbursed."""
    money = pool(world).balances
    return money.available, money.reserved, money.committed, money.disbursed


def names(events: Sequence[Event]) -> list[str]:
    """Who and what."""
    return [f"{getattr(event, 'person_id', 'pool')} {type(event).__name__}" for event in events]
