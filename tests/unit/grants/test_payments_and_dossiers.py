import pytest

from services.grants.domain.dossiers import (
    DOSSIERS,
    MAX_APPLICATIONS,
    ApplicationHeld,
    ApplicationReleased,
    CertifiedTold,
    Certify,
    CloseEnrolment,
    CourseCertified,
    CourseUncertified,
    Dossier,
    EnrolmentClosed,
    EnrolmentOpened,
    HoldApplication,
    Opened,
    OpenEnrolment,
    ProgrammeLeft,
    ReleaseApplication,
    TellCertified,
    Uncertify,
)
from services.grants.domain.payments import PAYMENTS, Confirm, Dispatched, Fail, Send
from shared.events.grants import PaymentConfirmed, PaymentFailed, PaymentSent
from shared.model import Command
from tests.support.spec import NOON, Spec

PAID = {"payment_id": "a-1:1:1", "person_id": "ana-0", "award_id": "a-1"}
SENT_FACT = PaymentSent(**PAID, tranche=1, amount=40)
FAILED_FACT = PaymentFailed(**PAID, tranche=1, amount=40, reason_code="account-closed")
CONFIRMED_FACT = PaymentConfirmed(**PAID, tranche=1, amount=40)
FAIL = Fail(reason_code="account-closed")
SENT = Spec(PAYMENTS).given(SENT_FACT)

HER = {"person_id": "ana-0"}
OPEN = Spec(DOSSIERS).given(Opened(**HER), EnrolmentOpened(enrolment_id="e-1"))
APPLIED = OPEN.given(ApplicationHeld(application_id="a-1"))


def test_a_payment_is_sent_once_and_remembers_by_whom() -> None:
    send = Send(**PAID, tranche=1, amount=40)
    done = Spec(PAYMENTS).when(send, actor="treasurer-1")
    done.then(SENT_FACT, Dispatched(sent_by="treasurer-1", sent_at=NOON))
    assert (done.state.sent_by, done.state.sent_at) == ("treasurer-1", NOON)
    done.when(send).then_nothing()


def test_the_bank_confirms_or_sends_back_and_does_not_change_its_mind() -> None:
    confirmed = SENT.when(Confirm()).then(CONFIRMED_FACT)
    confirmed.when(Confirm()).then_nothing()
    confirmed.when(FAIL).then_refused("payment-was-confirmed")
    failed = SENT.when(FAIL).then(FAILED_FACT)
    failed.when(FAIL).then_nothing()
    failed.when(Confirm()).then_refused("payment-was-failed")


@pytest.mark.parametrize("command", [Confirm(), FAIL])
def test_an_unknown_payment_is_refused(command: Command) -> None:
    Spec(PAYMENTS).when(command).then_refused("payment-unknown")


def test_an_enrolment_opens_her_dossier_once() -> None:
    opened = OpenEnrolment(**HER, enrolment_id="e-1")
    done = Spec(DOSSIERS).when(opened).then(Opened(**HER), EnrolmentOpened(enrolment_id="e-1"))
    done.when(opened).then_nothing()


def test_a_certificate_that_came_first_opens_her_dossier_and_is_remembered() -> None:
    certify = Certify(**HER, course_id="course-1")
    known = CourseCertified(course_id="course-1", award_ids=())
    done = Spec(DOSSIERS).when(certify).then(Opened(**HER), known)
    done.when(certify).then_nothing()
    told = CertifiedTold(award_id="a-1", course_ids=("course-1",))
    done.when(TellCertified(**HER, award_id="a-1")).then(told)
    done.when(HoldApplication(**HER, application_id="a-1")).then_refused(
        "application-needs-enrolment"
    )


@pytest.mark.parametrize(
    "command",
    [
        CloseEnrolment(**HER, enrolment_id="e-9"),
        Uncertify(**HER, course_id="course-1"),
        ReleaseApplication(**HER, application_id="a-1"),
        TellCertified(**HER, award_id="a-1"),
    ],
)
def test_what_was_never_there_is_not_undone(command: Command) -> None:
    Spec(DOSSIERS).when(command).then_nothing()
    OPEN.when(command).then_nothing()


def test_a_revoked_certificate_is_told_to_her_awards() -> None:
    held = APPLIED.given(CourseCertified(course_id="course-1", award_ids=()))
    lost = Uncertify(**HER, course_id="course-1")
    done = held.when(lost).then(CourseUncertified(course_id="course-1", award_ids=("a-1",)))
    done.when(lost).then_nothing()


def test_the_last_enrolment_takes_her_applications_along() -> None:
    close = CloseEnrolment(**HER, enrolment_id="e-1")
    closed = EnrolmentClosed(enrolment_id="e-1")
    done = APPLIED.when(close).then(closed, ProgrammeLeft(application_ids=("a-1",)))
    done.when(close).then_nothing()
    APPLIED.given(EnrolmentOpened(enrolment_id="e-2")).when(close).then(closed)


def test_applications_are_held_and_released() -> None:
    hold = HoldApplication(**HER, application_id="a-1")
    done = OPEN.when(hold).then(ApplicationHeld(application_id="a-1"))
    done.when(hold).then_nothing()
    release = ReleaseApplication(**HER, application_id="a-1")
    done.when(release).then(ApplicationReleased(application_id="a-1"))


def test_so_many_applications_at_once_are_too_many() -> None:
    many = tuple(f"a-{number}" for number in range(MAX_APPLICATIONS))
    full = Dossier(id="ana-0", enrolments=("e-1",), applications=many)
    hold = HoldApplication(**HER, application_id="a-x")
    Spec(DOSSIERS, full).when(hold).then_refused("applications-too-many")
