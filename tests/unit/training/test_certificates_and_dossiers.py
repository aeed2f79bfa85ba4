"""Certificates, and what a dossier lets a woman hold."""

import pytest

from services.training.domain import dossiers
from services.training.domain.certificates import (
    CERTIFICATES,
    Certificate,
    CertificateWritten,
    CompletionVoided,
    Issue,
    Revoke,
)
from services.training.domain.dossiers import (
    DOSSIERS,
    Certify,
    CloseEnrolment,
    CourseCertified,
    EnrolmentClosed,
    EnrolmentOpened,
    HeldSeat,
    HoldSeat,
    OpenEnrolment,
    ReleaseSeat,
    SeatHeld,
    SeatReleased,
    SeatsForsaken,
    Uncertify,
)
from shared.events.training import CertificateIssued, CompletionRevoked
from tests.support.spec import NOON, Spec

ISSUE = Issue(
    certificate_id="ana:course-1", person_id="ana", course_id="course-1", seat_id="ana:cohort-1"
)
WRITTEN = CertificateWritten(
    certificate=Certificate(
        id="ana:course-1",
        person_id="ana",
        course_id="course-1",
        seat_id="ana:cohort-1",
        issued_at=NOON,
    )
)
IDS = {"person_id": "ana", "certificate_id": "ana:course-1", "course_id": "course-1"}
ISSUED = CertificateIssued(**IDS)
REVOKED = CompletionRevoked(**IDS, reason_code="issued-by-mistake")

CALL_1 = EnrolmentOpened(person_id="ana", enrolment_id="ana:call-1")
CALL_2 = EnrolmentOpened(person_id="ana", enrolment_id="ana:call-2")
SEAT = HeldSeat(seat_id="ana:cohort-1", course_id="course-1")
HOLD = HoldSeat(seat_id="ana:cohort-1", course_id="course-1")
ENROLLED = Spec(DOSSIERS).given(CALL_1)


def test_a_certificate_is_issued_once() -> None:
    issued = Spec(CERTIFICATES).when(ISSUE).then(WRITTEN, ISSUED)
    issued.when(ISSUE).then_nothing()


def test_a_revoked_certificate_is_issued_again_when_she_completes_again() -> None:
    revoked = Spec(CERTIFICATES).given(WRITTEN, REVOKED)
    assert revoked.state.status == "revoked"
    again = revoked.when(ISSUE).then(WRITTEN, ISSUED)
    assert (again.state.status, again.state.reason_code) == ("issued", None)


def test_a_completion_is_revoked_once_with_a_reason() -> None:
    revoke = Revoke(reason_code="issued-by-mistake")
    revoked = Spec(CERTIFICATES).given(WRITTEN).when(revoke)
    revoked.then(REVOKED, CompletionVoided(seat_id="ana:cohort-1"))
    revoked.when(revoke).then_nothing()
    Spec(CERTIFICATES).when(revoke).then_refused("certificate-unknown")


def test_a_dossier_opens_with_her_first_enrolment_and_keeps_each_once() -> None:
    first = OpenEnrolment(person_id="ana", enrolment_id="ana:call-1")
    Spec(DOSSIERS).when(first).then(CALL_1).when(first).then_nothing()
    second = OpenEnrolment(person_id="ana", enrolment_id="ana:call-2")
    assert ENROLLED.when(second).state.enrolments == ("ana:call-1", "ana:call-2")


def test_a_withdrawal_of_what_was_never_enrolled_is_nothing() -> None:
    Spec(DOSSIERS).when(CloseEnrolment(enrolment_id="ana:call-1")).then_nothing()
    ENROLLED.when(CloseEnrolment(enrolment_id="ana:call-9")).then_nothing()


def test_only_the_last_withdrawal_forsakes_her_seats() -> None:
    both = ENROLLED.given(CALL_2, SeatHeld(seat=SEAT))
    one = both.when(CloseEnrolment(enrolment_id="ana:call-1"))
    one.then(EnrolmentClosed(enrolment_id="ana:call-1"))
    one.when(CloseEnrolment(enrolment_id="ana:call-2")).then(
        EnrolmentClosed(enrolment_id="ana:call-2"), SeatsForsaken(seat_ids=("ana:cohort-1",))
    )


def test_one_seat_a_course() -> None:
    held = ENROLLED.when(HOLD).then(SeatHeld(seat=SEAT))
    held.when(HOLD).then_nothing()
    other = HoldSeat(seat_id="ana:cohort-2", course_id="course-1")
    held.when(other).then_refused("course-seat-held")
    released = held.when(ReleaseSeat(seat_id="ana:cohort-1"))
    released.then(SeatReleased(seat_id="ana:cohort-1")).when(other).then(
        SeatHeld(seat=HeldSeat(seat_id="ana:cohort-2", course_id="course-1"))
    )


def test_no_seat_in_a_course_that_she_is_certified_in_until_that_is_revoked() -> None:
    certified = ENROLLED.given(SeatHeld(seat=SEAT)).when(Certify(course_id="course-1"))
    certified.then(CourseCertified(course_id="course-1"))
    assert certified.state.seats == ()
    certified.when(HOLD).then_refused("course-already-certified")
    revoked = certified.when(Uncertify(course_id="course-1"))
    revoked.when(HOLD).then(SeatHeld(seat=SEAT))


def test_who_is_not_enrolled_holds_no_seat() -> None:
    Spec(DOSSIERS).when(HOLD).then_refused("not-enrolled")
    left = ENROLLED.given(EnrolmentClosed(enrolment_id="ana:call-1"))
    left.when(HOLD).then_refused("not-enrolled")


def test_live_seats_have_a_largest_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dossiers, "MAX_SEATS", 1)
    held = ENROLLED.given(SeatHeld(seat=SEAT))
    more = HoldSeat(seat_id="ana:cohort-9", course_id="course-9")
    held.when(more).then_refused("seats-too-many")
