"""What training does when something happened: its own events, and enrollment's. Pure."""

from services.training.domain import certificates, cohorts, courses, dossiers, seats
from services.training.domain.certificates import CERTIFICATES
from services.training.domain.cohorts import COHORTS
from services.training.domain.courses import COURSES
from services.training.domain.dossiers import DOSSIERS
from services.training.domain.seats import SEATS
from shared.events.enrollment import ApplicantEnrolled, EnrolmentWithdrawn
from shared.events.training import (
    CertificateIssued,
    CompletionRevoked,
    CourseCompleted,
    SeatConfirmed,
    SeatDropped,
    SeatOfferExpired,
    SeatRequested,
)
from shared.model import Do, Handlers, Require, Step

handlers = Handlers()


# -- a cohort opens by the rule of its course


@handlers.on(cohorts.CohortPlanned)
def ask_for_the_rule(event: cohorts.CohortPlanned) -> list[Step]:
    ask = courses.TellRule(cohort_id=event.cohort_id, language=event.plan.language)
    return [Do(COURSES, event.plan.course_id, ask)]


@handlers.on(courses.RuleTold)
def open_by_the_rule(event: courses.RuleTold) -> list[Step]:
    return [Do(COHORTS, event.cohort_id, cohorts.Open(rule=event.rule))]


# -- a seat follows the place that the cohort gives, offers or takes back


@handlers.on(SeatRequested)
def take_a_place(event: SeatRequested) -> list[Step]:
    return [
        Require(DOSSIERS, event.person_id, dossiers.is_enrolled),
        Do(COHORTS, event.cohort_id, cohorts.Take(seat_id=event.seat_id)),
    ]


@handlers.on(cohorts.PlaceGiven)
def confirm(event: cohorts.PlaceGiven) -> list[Step]:
    return [Do(SEATS, event.seat_id, seats.Confirm(terms=event.terms))]


@handlers.on(cohorts.PlaceAwaited)
def stand_in_line(event: cohorts.PlaceAwaited) -> list[Step]:
    return [Do(SEATS, event.seat_id, seats.Queue(terms=event.terms, rank=event.rank))]


@handlers.on(seats.TermsKept)
def keep_in_dossier(event: seats.TermsKept) -> list[Step]:
    seat = dossiers.HoldSeat(seat_id=event.seat_id, course_id=event.terms.course_id)
    return [Do(DOSSIERS, event.person_id, seat)]


@handlers.on(cohorts.PlaceOffered)
def promote(event: cohorts.PlaceOffered) -> list[Step]:
    return [Do(SEATS, event.seat_id, seats.Promote(expires_at=event.expires_at))]


@handlers.on(SeatConfirmed)
def settle_the_place(event: SeatConfirmed) -> list[Step]:
    return [Do(COHORTS, event.cohort_id, cohorts.Settle(seat_id=event.seat_id))]


@handlers.on(SeatDropped, SeatOfferExpired)
def give_the_place_back(event: SeatDropped | SeatOfferExpired) -> list[Step]:
    return [
        Do(COHORTS, event.cohort_id, cohorts.Leave(seat_id=event.seat_id)),
        Do(DOSSIERS, event.person_id, dossiers.ReleaseSeat(seat_id=event.seat_id)),
    ]


@handlers.on(cohorts.ListClosed)
def end_the_wait(event: cohorts.ListClosed) -> list[Step]:
    drop = seats.Drop(reason_code=event.reason_code)
    return [Do(SEATS, seat_id, drop) for seat_id in event.seat_ids]


# -- a completion earns the certificate, and takes it back


@handlers.on(CourseCompleted)
def issue_certificate(event: CourseCompleted) -> list[Step]:
    certificate_id = f"{event.person_id}:{event.course_id}"
    issue = certificates.Issue(
        certificate_id=certificate_id,
        person_id=event.person_id,
        course_id=event.course_id,
        seat_id=event.seat_id,
    )
    return [Do(CERTIFICATES, certificate_id, issue)]


@handlers.on(CertificateIssued)
def certify(event: CertificateIssued) -> list[Step]:
    return [Do(DOSSIERS, event.person_id, dossiers.Certify(course_id=event.course_id))]


@handlers.on(CompletionRevoked)
def uncertify(event: CompletionRevoked) -> list[Step]:
    return [Do(DOSSIERS, event.person_id, dossiers.Uncertify(course_id=event.course_id))]


@handlers.on(certificates.CompletionVoided)
def void_seat(event: certificates.CompletionVoided) -> list[Step]:
    return [Do(SEATS, event.seat_id, seats.Void())]


# -- enrollment lets her in and out


@handlers.on(ApplicantEnrolled)
def open_dossier(event: ApplicantEnrolled) -> list[Step]:
    opened = dossiers.OpenEnrolment(person_id=event.person_id, enrolment_id=event.enrolment_id)
    return [Do(DOSSIERS, event.person_id, opened)]


@handlers.on(EnrolmentWithdrawn)
def close_enrolment(event: EnrolmentWithdrawn) -> list[Step]:
    closed = dossiers.CloseEnrolment(enrolment_id=event.enrolment_id)
    return [Do(DOSSIERS, event.person_id, closed)]


@handlers.on(dossiers.SeatsForsaken)
def drop_seats(event: dossiers.SeatsForsaken) -> list[Step]:
    drop = seats.Drop(reason_code="enrolment-withdrawn")
    return [Do(SEATS, seat_id, drop) for seat_id in event.seat_ids]
