"""A course: a competence, its language versions, and the rule by which it is completed."""

from typing import Annotated

from pydantic import Field, StringConstraints

from shared.events.training import CoursePublished
from shared.model import Aggregate, Command, Context, Event, Frozen, Refused, Unknown
from shared.types import Code, Id, Language, PositiveCount

Title = Annotated[str, StringConstraints(min_length=1, max_length=120)]
Percent = Annotated[int, Field(strict=True, ge=1, le=100)]


class LanguageVersion(Frozen):
    """The course as it is given in one language."""

    language: Language
    title: Title


class CompletionRule(Frozen):
    """What completes the course: a share of the sessions. A cohort keeps the rule it began with."""

    version: Code
    min_attendance: Percent


class Course(Frozen):
    """A course as published."""

    id: Id
    competence: Code
    hours: PositiveCount
    versions: tuple[LanguageVersion, ...]
    rule: CompletionRule

    @property
    def languages(self) -> tuple[Language, ...]:
        """The languages it is given in."""
        return tuple(version.language for version in self.versions)


class Publish(Command):
    course: Course


class TellRule(Command):
    """A cohort of this course opens in a language and asks by which rule it is completed."""

    cohort_id: Id
    language: Language


class CourseWritten(Event):
    """All that was said of the course; only its public part is published."""

    course: Course


class RuleTold(Event):
    """The rule that a new cohort keeps."""

    cohort_id: Id
    rule: CompletionRule


def decide(course: Course | None, command: Publish | TellRule, now: Context) -> list[Event]:
    match course, command:
        case None, Publish():
            return _publish(command.course)
        case None, _:
            raise Unknown("course-unknown")
        case Course(), Publish() if command.course == course:
            return []
        case Course(), Publish():
            raise Refused("course-exists")
        case Course(), TellRule() if command.language in course.languages:
            return [RuleTold(cohort_id=command.cohort_id, rule=course.rule)]
    raise Refused("course-not-in-language")


def _publish(course: Course) -> list[Event]:
    if len(set(course.languages)) < len(course.versions):
        raise Refused("course-language-twice")
    public = CoursePublished(
        course_id=course.id,
        competence=course.competence,
        hours=course.hours,
        languages=course.languages,
    )
    return [CourseWritten(course=course), public]


def evolve(course: Course | None, event: Event) -> Course | None:
    return event.course if isinstance(event, CourseWritten) else course


COURSES = Aggregate("courses", Course, decide, evolve)
