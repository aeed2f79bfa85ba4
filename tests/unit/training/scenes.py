"""A course, a cohort and enrolled women to begin a test with."""

from datetime import date, timedelta

from services.training.domain.cohorts import COHORTS, Cohort, Plan, PlanCohort, Terms
from services.training.domain.completion import Attendance
from services.training.domain.courses import (
    COURSES,
    CompletionRule,
    Course,
    LanguageVersion,
    Publish,
)
from services.training.domain.seats import SEATS, Complete, Record, Request, Seat
from services.training.handlers import handlers
from shared.events.enrollment import ApplicantEnrolled
from shared.events.training import AttendanceState
from shared.model import Do
from tests.support.spec import NOON
from tests.support.world import World

RULE = CompletionRule(version="2026-1", min_attendance=80)
COURSE = Course(
    id="course-1",
    competence="digital-selling",
    hours=20,
    versions=(
        LanguageVersion(language="es-MX", title="Vender en línea"),
        LanguageVersion(language="tzo", title="Chonolajel ta internet"),
    ),
    rule=RULE,
)
PLAN = Plan(
    course_id="course-1",
    language="tzo",
    state="07",
    capacity=2,
    starts_on=date(2026, 4, 1),
    sessions=5,
    offer_seconds=60,
)
TERMS = Terms(course_id="course-1", sessions=5, rule=RULE)
LATE = NOON + timedelta(seconds=60)


def enrolled(person_id: str, enrolment_id: str | None = None) -> ApplicantEnrolled:
    """Enrollment says that she is in."""
    enrolment_id = enrolment_id or f"{person_id}:call-1"
    return ApplicantEnrolled(person_id=person_id, enrolment_id=enrolment_id, call_id="call-1")


def academy(women: int, capacity: int = 2) -> World:
    """A world with one cohort and so many enrolled women: ana-0, ana-1 …"""
    world = World(handlers)
    world.run(Do(COURSES, "course-1", Publish(course=COURSE)))
    plan = PLAN.model_copy(update={"capacity": capacity})
    world.run(Do(COHORTS, "cohort-1", PlanCohort(cohort_id="cohort-1", plan=plan)))
    for number in range(women):
        world.consume(enrolled(f"ana-{number}"))
    world.published.clear()
    return world


def seat_of(person_id: str, cohort_id: str = "cohort-1") -> str:
    """The id of her seat."""
    return f"{person_id}:{cohort_id}"


def request(person_id: str, cohort_id: str = "cohort-1") -> Do:
    """She asks for a seat."""
    seat_id = seat_of(person_id, cohort_id)
    return Do(SEATS, seat_id, Request(seat_id=seat_id, person_id=person_id, cohort_id=cohort_id))


def attend(person_id: str, states: list[AttendanceState]) -> list[Do]:
    """These sessions on record, one after another."""
    seat_id = seat_of(person_id)
    marks = [
        Attendance(session=number, state=state, source="trainer")
        for number, state in enumerate(states, start=1)
    ]
    return [Do(SEATS, seat_id, Record(attendance=mark)) for mark in marks]


def complete(person_id: str) -> list[Do]:
    """She was always there, and the trainer closes her course."""
    always: list[AttendanceState] = ["present"] * 5
    return [*attend(person_id, always), Do(SEATS, seat_of(person_id), Complete())]


def status(world: World, person_id: str) -> str:
    """How her seat stands."""
    seat: Seat = world.get(SEATS, seat_of(person_id))
    return seat.status


def cohort(world: World) -> Cohort:
    """The cohort as it stands."""
    found: Cohort = world.get(COHORTS, "cohort-1")
    return found
