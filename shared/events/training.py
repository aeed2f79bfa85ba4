"""The facts that training publishes: courses, cohorts, seats, attendance, certificates."""

from typing import Literal

from shared.model import Event
from shared.types import Code, Day, Id, Language, Moment, PositiveCount, StateKey

AttendanceState = Literal["present", "absent", "excused"]
"""What a session saw of her: an excused absence counts neither for nor against her."""


class CoursePublished(Event, type="telar.training.course-published.v1", key="course_id"):
    """A course can be given, in these languages."""

    course_id: Id
    competence: Code
    hours: PositiveCount
    languages: tuple[Language, ...]


class CohortOpened(Event, type="telar.training.cohort-opened.v1", key="cohort_id"):
    """A group takes requests for a limited number of seats."""

    cohort_id: Id
    course_id: Id
    language: Language
    state: StateKey
    capacity: PositiveCount
    starts_on: Day


class SeatRequested(Event, type="telar.training.seat-requested.v1", key="person_id"):
    """She asks for a seat in a cohort."""

    person_id: Id
    seat_id: Id
    cohort_id: Id


class SeatConfirmed(Event, type="telar.training.seat-confirmed.v1", key="person_id"):
    """The seat is hers: a place was free, or she accepted the one offered."""

    person_id: Id
    seat_id: Id
    cohort_id: Id


class SeatWaitlisted(Event, type="telar.training.seat-waitlisted.v1", key="person_id"):
    """The cohort is full; `rank` is her number in line, never given twice in a cohort."""

    person_id: Id
    seat_id: Id
    cohort_id: Id
    rank: PositiveCount


class SeatPromoted(Event, type="telar.training.seat-promoted.v1", key="person_id"):
    """A place came free for the first in line: it is kept for her until `expires_at`."""

    person_id: Id
    seat_id: Id
    cohort_id: Id
    expires_at: Moment


class SeatOfferExpired(Event, type="telar.training.seat-offer-expired.v1", key="person_id"):
    """She did not answer in time; the place goes to the next in line."""

    person_id: Id
    seat_id: Id
    cohort_id: Id


class SeatDropped(Event, type="telar.training.seat-dropped.v1", key="person_id"):
    """She no longer has or waits for this seat."""

    person_id: Id
    seat_id: Id
    cohort_id: Id
    reason_code: Code


class AttendanceRecorded(Event, type="telar.training.attendance-recorded.v1", key="person_id"):
    """What one session saw of her, and who or what says so."""

    person_id: Id
    seat_id: Id
    session: PositiveCount
    state: AttendanceState
    source: Code


class CourseCompleted(Event, type="telar.training.course-completed.v1", key="person_id"):
    """She met the completion rule of this version."""

    person_id: Id
    seat_id: Id
    cohort_id: Id
    course_id: Id
    rules_version: Code


class CertificateIssued(Event, type="telar.training.certificate-issued.v1", key="person_id"):
    """She holds the certificate of a course: one a woman and course."""

    person_id: Id
    certificate_id: Id
    course_id: Id


class CompletionRevoked(Event, type="telar.training.completion-revoked.v1", key="person_id"):
    """A completion did not stand; what it released elsewhere is held or undone."""

    person_id: Id
    certificate_id: Id
    course_id: Id
    reason_code: Code
