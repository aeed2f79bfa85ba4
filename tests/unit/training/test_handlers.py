"""What one command or fact does to the whole of training."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.training.domain.certificates import CERTIFICATES, Revoke
from services.training.domain.cohorts import COHORTS, PlanCohort
from services.training.domain.dossiers import DOSSIERS
from services.training.domain.seats import SEATS, Accept, Complete, Drop
from shared.events.enrollment import EnrolmentWithdrawn
from shared.events.training import SeatPromoted
from shared.model import Do, Event, Refused
from tests.support.spec import NOON
from tests.support.world import World
from tests.unit.training.scenes import (
    LATE,
    PLAN,
    academy,
    attend,
    cohort,
    complete,
    enrolled,
    request,
    seat_of,
    status,
)

DROP = Drop(reason_code="health")


def names(events: Sequence[Event]) -> list[str]:
    return [f"{getattr(event, 'person_id', '')} {type(event).__name__}" for event in events]


def withdrawn(person_id: str, call_id: str = "call-1") -> EnrolmentWithdrawn:
    return EnrolmentWithdrawn(
        person_id=person_id,
        enrolment_id=f"{person_id}:{call_id}",
        call_id=call_id,
        reason_code="no-time",
    )


def test_a_request_is_confirmed_in_the_same_intent_while_places_are_free() -> None:
    world = academy(1)
    assert names(world.run(request("ana-0"))) == ["ana-0 SeatRequested", "ana-0 SeatConfirmed"]
    assert world.run(request("ana-0")) == []


def test_a_full_cohort_puts_her_in_line() -> None:
    world = academy(3)
    world.run(request("ana-0"), request("ana-1"))
    assert names(world.run(request("ana-2"))) == ["ana-2 SeatRequested", "ana-2 SeatWaitlisted"]


def test_who_is_not_enrolled_gets_no_seat_and_leaves_no_trace() -> None:
    world = academy(0)
    assert world.refused(request("eva")) == "not-enrolled"
    assert (SEATS.name, seat_of("eva")) not in world.states


def test_an_unknown_cohort_is_refused() -> None:
    assert academy(1).refused(request("ana-0", "cohort-9")) == "cohort-unknown"


def test_a_second_seat_in_the_same_course_is_refused_and_takes_no_place() -> None:
    world = academy(1)
    world.run(request("ana-0"))
    world.run(Do(COHORTS, "cohort-2", PlanCohort(cohort_id="cohort-2", plan=PLAN)))
    assert world.refused(request("ana-0", "cohort-2")) == "course-seat-held"
    assert world.get(COHORTS, "cohort-2").free == 2


def test_a_drop_promotes_the_first_in_line_who_may_accept() -> None:
    world = academy(3, capacity=1)
    world.run(*(request(f"ana-{n}") for n in range(3)))
    dropped = world.run(Do(SEATS, seat_of("ana-0"), DROP))
    assert names(dropped) == ["ana-0 SeatDropped", "ana-1 SeatPromoted"]
    world.run(Do(SEATS, seat_of("ana-1"), Accept()))
    assert cohort(world).held == (seat_of("ana-1"),)
    assert [status(world, f"ana-{n}") for n in range(3)] == ["dropped", "confirmed", "waitlisted"]


def test_an_expired_offer_goes_to_the_next_in_line() -> None:
    world = academy(3, capacity=1)
    world.run(*(request(f"ana-{n}") for n in range(3)))
    world.run(Do(SEATS, seat_of("ana-0"), DROP))
    assert names(world.tick(SEATS, LATE)) == ["ana-1 SeatOfferExpired", "ana-2 SeatPromoted"]
    offer = world.get(SEATS, seat_of("ana-2"))
    assert offer.expires_at == LATE + timedelta(seconds=60)


def test_whoever_waits_when_the_cohort_begins_is_told_so_and_may_ask_elsewhere() -> None:
    world = academy(4, capacity=1)
    world.run(*(request(f"ana-{n}") for n in range(3)))
    begun = world.tick(COHORTS, PLAN.begins_at)
    assert names(begun) == ["ana-1 SeatDropped", "ana-2 SeatDropped"]
    assert world.get(SEATS, seat_of("ana-1")).reason_code == "cohort-started"
    assert world.refused(request("ana-3"), at=PLAN.begins_at) == "cohort-started"
    assert world.refused(request("ana-1"), at=PLAN.begins_at) == "cohort-started"
    dropped = world.run(Do(SEATS, seat_of("ana-0"), DROP), at=PLAN.begins_at)
    assert names(dropped) == ["ana-0 SeatDropped"]
    later = PLAN.model_copy(update={"starts_on": date(2026, 5, 1)})
    world.run(Do(COHORTS, "cohort-2", PlanCohort(cohort_id="cohort-2", plan=later)))
    assert names(world.run(request("ana-1", "cohort-2"), at=PLAN.begins_at))[-1:] == [
        "ana-1 SeatConfirmed"
    ]


def test_an_offer_that_ends_with_the_beginning_goes_to_nobody_else() -> None:
    world = academy(3, capacity=1)
    world.run(*(request(f"ana-{n}") for n in range(3)))
    world.run(Do(SEATS, seat_of("ana-0"), DROP), at=PLAN.begins_at - timedelta(seconds=1))
    accept = Do(SEATS, seat_of("ana-1"), Accept())
    assert world.refused(accept, at=PLAN.begins_at) == "seat-offer-expired"
    assert names(world.tick(SEATS, PLAN.begins_at)) == ["ana-1 SeatOfferExpired"]
    assert names(world.tick(COHORTS, PLAN.begins_at)) == ["ana-2 SeatDropped"]


def test_attendance_earns_the_certificate_in_one_intent() -> None:
    world = academy(1)
    world.run(request("ana-0"))
    done = world.run(*complete("ana-0"))
    assert names(done)[-2:] == ["ana-0 CourseCompleted", "ana-0 CertificateIssued"]
    assert world.get(CERTIFICATES, "ana-0:course-1").seat_id == seat_of("ana-0")


def test_too_little_attendance_earns_nothing() -> None:
    world = academy(1)
    world.run(request("ana-0"))
    world.run(*attend("ana-0", ["absent"] * 5))
    step = Do(SEATS, seat_of("ana-0"), Complete())
    assert world.refused(step) == "completion-attendance-short"


def test_a_revoked_completion_lets_her_take_the_course_again() -> None:
    world = academy(1)
    world.run(request("ana-0"))
    world.run(*complete("ana-0"))
    world.run(Do(COHORTS, "cohort-2", PlanCohort(cohort_id="cohort-2", plan=PLAN)))
    assert world.refused(request("ana-0", "cohort-2")) == "course-already-certified"
    revoke = Revoke(reason_code="attendance-misrecorded")
    revoked = world.run(Do(CERTIFICATES, "ana-0:course-1", revoke))
    assert names(revoked) == ["ana-0 CompletionRevoked"]
    assert status(world, "ana-0") == "revoked"
    again = world.run(request("ana-0", "cohort-2"))
    assert names(again) == ["ana-0 SeatRequested", "ana-0 SeatConfirmed"]


def test_a_withdrawal_drops_seats_and_offers_and_promotes_the_next() -> None:
    world = academy(3, capacity=1)
    world.run(*(request(f"ana-{n}") for n in range(3)))
    first = world.consume(withdrawn("ana-0"))
    assert names(first) == ["ana-0 SeatDropped", "ana-1 SeatPromoted"]
    second = world.consume(withdrawn("ana-1"))
    assert names(second) == ["ana-1 SeatDropped", "ana-2 SeatPromoted"]
    assert world.consume(withdrawn("ana-1")) == []
    assert world.get(SEATS, seat_of("ana-0")).reason_code == "enrolment-withdrawn"


def test_a_withdrawal_leaves_certificates_hers() -> None:
    world = academy(1)
    world.run(request("ana-0"))
    world.run(*complete("ana-0"))
    assert world.consume(withdrawn("ana-0")) == []
    assert world.get(CERTIFICATES, "ana-0:course-1").status == "issued"


def test_a_withdrawal_from_one_of_two_calls_keeps_her_seats() -> None:
    world = academy(1)
    world.consume(enrolled("ana-0", "ana-0:call-2"))
    world.run(request("ana-0"))
    assert world.consume(withdrawn("ana-0")) == []
    assert names(world.consume(withdrawn("ana-0", "call-2"))) == ["ana-0 SeatDropped"]


KINDS = ["request", "request", "accept", "drop", "wait", "complete", "revoke", "out", "in"]
ACTS = st.tuples(st.sampled_from(KINDS), st.integers(0, 5))


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 3), st.lists(ACTS, max_size=40))
def test_whatever_they_do_seats_and_places_agree_and_ranks_are_honoured(
    capacity: int, acts: list[tuple[str, int]]
) -> None:
    world, at = academy(6, capacity), NOON
    for act, number in acts:
        line = cohort(world).waiting
        at += timedelta(seconds=25)
        events = _act(world, act, f"ana-{number}", at)
        promoted = [event.seat_id for event in events if isinstance(event, SeatPromoted)]
        if act != "wait":
            assert promoted == [one.seat_id for one in line[: len(promoted)]]
        _agree(world)


def _act(world: World, act: str, person_id: str, at: Any) -> list[Event]:
    seat = seat_of(person_id)
    revoke = Revoke(reason_code="issued-by-mistake")
    steps = {
        "request": [request(person_id)],
        "accept": [Do(SEATS, seat, Accept())],
        "drop": [Do(SEATS, seat, DROP)],
        "complete": complete(person_id),
        "revoke": [Do(CERTIFICATES, f"{person_id}:course-1", revoke)],
    }
    facts: dict[str, Event] = {"out": withdrawn(person_id), "in": enrolled(person_id)}
    try:
        if act == "wait":
            return world.tick(SEATS, at)
        return world.run(*steps[act], at=at) if act in steps else world.consume(facts[act], at)
    except Refused:  # no seat, no offer, or too late: what must hold is checked after it
        return []


def _agree(world: World) -> None:
    now = cohort(world)
    seats = [state for (name, _), state in world.states.items() if name == SEATS.name]
    by_status = {
        wanted: {seat.id for seat in seats if seat.status == wanted}
        for wanted in ("requested", "confirmed", "offered", "waitlisted", "completed", "revoked")
    }
    assert by_status["requested"] == set()
    assert by_status["confirmed"] | by_status["completed"] | by_status["revoked"] == set(now.held)
    assert by_status["offered"] == set(now.offered)
    assert by_status["waitlisted"] == {one.seat_id for one in now.waiting}
    assert now.free >= 0
    assert not (now.free and now.waiting)
    for seat in seats:
        dossier = world.get(DOSSIERS, seat.person_id)
        live = seat.status in {"confirmed", "offered", "waitlisted"}
        assert (seat.id in [one.seat_id for one in dossier.seats]) == live
        assert not (live and not dossier.enrolments), "a seat of a woman who left"
        held = world.states.get((CERTIFICATES.name, f"{seat.person_id}:course-1"))
        is_certified = held is not None and held.status == "issued"
        assert ("course-1" in dossier.certified) == is_certified == (seat.status == "completed")
