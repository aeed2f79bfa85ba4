"""A seat: its offer's clock, attendance, and completion by the rule."""

from datetime import timedelta

import pytest

from services.training.domain.completion import Attendance, assess
from services.training.domain.seats import (
    SEATS,
    Accept,
    Complete,
    Confirm,
    Drop,
    Promote,
    Queue,
    Record,
    Request,
    RequestHelped,
    SeatVoided,
    TermsKept,
    Void,
)
from shared.events.training import (
    AttendanceRecorded,
    AttendanceState,
    CourseCompleted,
    SeatConfirmed,
    SeatDropped,
    SeatOfferExpired,
    SeatPromoted,
    SeatRequested,
    SeatWaitlisted,
)
from shared.model import Command, Forbidden, Tick
from tests.support.spec import NOON, Spec
from tests.unit.training.scenes import LATE, TERMS

WHO = {"person_id": "ana-0", "seat_id": "ana-0:cohort-1", "cohort_id": "cohort-1"}
REQUEST = Request(**WHO)
KEPT = TermsKept(person_id="ana-0", seat_id="ana-0:cohort-1", terms=TERMS)

REQUESTED = Spec(SEATS).given(SeatRequested(**WHO))
CONFIRMED = REQUESTED.given(KEPT, SeatConfirmed(**WHO))
WAITLISTED = REQUESTED.given(KEPT, SeatWaitlisted(**WHO, rank=3))
OFFERED = WAITLISTED.given(SeatPromoted(**WHO, expires_at=LATE))
EXPIRED = OFFERED.given(SeatOfferExpired(**WHO))
DROPPED = CONFIRMED.given(SeatDropped(**WHO, reason_code="health"))
COMPLETED = CONFIRMED.given(CourseCompleted(**WHO, course_id="course-1", rules_version="2026-1"))
REVOKED = COMPLETED.given(SeatVoided())


def mark(session: int, state: AttendanceState = "present") -> Attendance:
    return Attendance(session=session, state=state, source="trainer")


def recorded(session: int, state: AttendanceState = "present") -> AttendanceRecorded:
    return AttendanceRecorded(
        person_id="ana-0", seat_id="ana-0:cohort-1", **dict(mark(session, state))
    )


def attended(*states: AttendanceState) -> Spec:
    return CONFIRMED.given(*(recorded(n, state) for n, state in enumerate(states, start=1)))


def test_a_seat_is_requested_and_a_repeat_is_nothing() -> None:
    Spec(SEATS).when(REQUEST).then(SeatRequested(**WHO)).when(REQUEST).then_nothing()


def test_a_seat_that_is_given_is_confirmed_at_once() -> None:
    given = REQUESTED.when(Confirm(terms=TERMS)).then(KEPT, SeatConfirmed(**WHO)).then_due(None)
    given.when(Confirm(terms=TERMS)).then_nothing()


def test_a_seat_in_line_knows_its_rank() -> None:
    waits = REQUESTED.when(Queue(terms=TERMS, rank=3)).then(KEPT, SeatWaitlisted(**WHO, rank=3))
    assert (waits.state.status, waits.state.rank) == ("waitlisted", 3)


def test_an_offer_has_a_clock() -> None:
    offered = WAITLISTED.when(Promote(expires_at=LATE))
    offered.then(SeatPromoted(**WHO, expires_at=LATE)).then_due(LATE)
    assert offered.state.rank is None


def test_an_offer_accepted_in_time_confirms_the_seat() -> None:
    confirmed = OFFERED.when(Accept(), at=LATE - timedelta(milliseconds=1))
    confirmed.then(SeatConfirmed(**WHO)).then_due(None).when(Accept()).then_nothing()


def test_an_offer_accepted_too_late_is_refused() -> None:
    OFFERED.when(Accept(), at=LATE).then_refused("seat-offer-expired")
    EXPIRED.when(Accept()).then_refused("seat-offer-expired")


@pytest.mark.parametrize("scene", [WAITLISTED, DROPPED])
def test_nothing_can_be_accepted_that_was_not_offered(scene: Spec) -> None:
    scene.when(Accept()).then_refused("seat-not-offered")


def test_the_clock_takes_an_unanswered_offer_back() -> None:
    OFFERED.when(Tick(), at=NOON).then_nothing()
    OFFERED.when(Tick(), at=LATE).then(SeatOfferExpired(**WHO)).then_due(None)
    CONFIRMED.when(Tick(), at=LATE).then_nothing()


@pytest.mark.parametrize("scene", [CONFIRMED, WAITLISTED, OFFERED])
def test_a_seat_is_dropped_with_a_reason(scene: Spec) -> None:
    dropped = scene.when(Drop(reason_code="health"))
    dropped.then(SeatDropped(**WHO, reason_code="health")).then_due(None)
    dropped.when(Drop(reason_code="health")).then_nothing()


@pytest.mark.parametrize("scene", [DROPPED, EXPIRED])
def test_a_seat_that_was_lost_can_be_requested_anew_without_its_past(scene: Spec) -> None:
    again = scene.given(recorded(1)).when(REQUEST).then(SeatRequested(**WHO))
    assert (again.state.status, again.state.attendance) == ("requested", ())


@pytest.mark.parametrize("scene", [COMPLETED, REVOKED])
@pytest.mark.parametrize(
    "command", [REQUEST, Accept(), Drop(reason_code="health"), Record(attendance=mark(1))]
)
def test_a_seat_that_is_done_stays_as_it_is(scene: Spec, command: Command) -> None:
    scene.when(command).then_refused("seat-closed")


@pytest.mark.parametrize("command", [Accept(), Complete(), Tick(), Void()])
def test_a_seat_that_nobody_requested_is_unknown(command: Command) -> None:
    Spec(SEATS).when(command).then_refused("seat-unknown")


def test_attendance_is_recorded_once_a_session() -> None:
    record = CONFIRMED.when(Record(attendance=mark(2))).then(recorded(2))
    record.when(Record(attendance=mark(2))).then_nothing()
    other = Record(attendance=mark(2, "absent"))
    record.when(other).then_refused("attendance-already-recorded")


def test_attendance_is_refused_beyond_the_last_session_and_without_a_seat() -> None:
    CONFIRMED.when(Record(attendance=mark(6))).then_refused("session-unknown")
    WAITLISTED.when(Record(attendance=mark(1))).then_refused("seat-not-confirmed")
    DROPPED.when(Complete()).then_refused("seat-not-confirmed")


@pytest.mark.parametrize("command", [Record(attendance=mark(2)), Complete()])
def test_nobody_certifies_herself_nor_whom_she_acts_for(command: Command) -> None:
    done = CONFIRMED.when(command, actor="ana-0").then_refused("own-seat")
    assert isinstance(done.refusal, Forbidden)
    CONFIRMED.when(command, actor="pia", on_behalf_of="ana-0").then_refused("own-seat")


@pytest.mark.parametrize("command", [Record(attendance=mark(2)), Complete()])
def test_who_asked_for_the_seat_in_her_name_does_not_certify_her(command: Command) -> None:
    helped = Spec(SEATS).when(REQUEST, actor="pia", on_behalf_of="ana-0")
    helped.then(SeatRequested(**WHO), RequestHelped(helped_by="pia"))
    seat = helped.given(KEPT, SeatConfirmed(**WHO), *(recorded(n) for n in (1, 3, 4, 5)))
    refused = seat.when(command, actor="pia").then_refused("helper-may-not-decide")
    assert isinstance(refused.refusal, Forbidden)
    done = seat.when(Record(attendance=mark(2)), actor="teo").when(Complete(), actor="teo")
    assert done.state.status == "completed"
    done.when(Void(), actor="pia").then(SeatVoided())


def test_a_helper_of_before_is_forgotten_when_she_asks_herself() -> None:
    helped = Spec(SEATS).when(REQUEST, actor="pia", on_behalf_of="ana-0")
    dropped = helped.given(SeatDropped(**WHO, reason_code="health"))
    assert dropped.when(REQUEST, actor="ana-0").state.helped_by is None


def test_enough_attendance_completes_the_course_by_the_rule_of_its_version() -> None:
    done = attended("present", "present", "present", "present", "absent").when(Complete())
    done.then(CourseCompleted(**WHO, course_id="course-1", rules_version="2026-1"))
    done.when(Complete()).then_nothing()


def test_too_little_attendance_is_refused_with_its_code() -> None:
    short = attended("present", "present", "present", "absent", "absent")
    short.when(Complete()).then_refused("completion-attendance-short")


def test_a_session_that_is_not_on_record_is_refused_as_missing() -> None:
    missing = attended("present", "present", "present", "present")
    missing.when(Complete()).then_refused("completion-attendance-missing")


def test_an_excused_session_counts_neither_for_nor_against_her() -> None:
    excused = attended("present", "present", "present", "excused", "excused")
    assert excused.when(Complete()).events
    absent = attended("present", "present", "excused", "excused", "absent")
    absent.when(Complete()).then_refused("completion-attendance-short")


def test_being_excused_from_everything_completes_nothing() -> None:
    never = attended("excused", "excused", "excused", "excused", "excused")
    never.when(Complete()).then_refused("completion-attendance-short")


def test_each_condition_says_what_was_seen_and_what_is_needed() -> None:
    recorded_leaf, share = assess(TERMS, (mark(1), mark(2, "absent")))
    assert (recorded_leaf.result, recorded_leaf.seen, recorded_leaf.needed) == ("unknown", 2, 5)
    assert (share.result, share.seen, share.needed) == ("unknown", 1, 4)


def test_what_is_needed_is_rounded_up_and_so_never_below_the_rule() -> None:
    strict = TERMS.model_copy(
        update={"sessions": 3, "rule": TERMS.rule.model_copy(update={"min_attendance": 67})}
    )
    _, share = assess(strict, (mark(1), mark(2), mark(3, "absent")))
    assert (share.result, share.needed) == ("unmet", 3)  # 2 of 3 are 66.7 %, less than 67 %


def test_a_revoked_completion_closes_the_seat_once() -> None:
    COMPLETED.when(Void()).then(SeatVoided()).when(Void()).then_nothing()
