"""Courses: published by the training desk, read by everyone."""

from typing import Annotated

from pydantic import Field

from services.training.domain.courses import (
    COURSES,
    CompletionRule,
    Course,
    LanguageVersion,
    Publish,
)
from services.training.routes.policies import DESK, EVERYONE
from shared.chassis.http import Intent, Page, Paging, Query, Reply, Router
from shared.model import Do, Frozen
from shared.types import Code, Id, Language, PositiveCount

router = Router(tags=["courses"])

Versions = Annotated[tuple[LanguageVersion, ...], Field(min_length=1, max_length=80)]


class NewCourse(Frozen):
    """A course to publish, with at least one language version."""

    competence: Code
    hours: PositiveCount
    versions: Versions
    rule: CompletionRule


class CourseView(Frozen):
    """A course as anyone sees it."""

    id: Id
    competence: Code
    hours: PositiveCount
    versions: tuple[LanguageVersion, ...]
    languages: tuple[Language, ...]
    rule: CompletionRule

    @classmethod
    def of(cls, course: Course) -> "CourseView":
        """Everything: a course has no secrets."""
        return cls(**dict(course), languages=course.languages)


@router.post("/courses", policy=DESK, status=201)
async def publish_course(body: NewCourse, intent: Intent) -> Reply[CourseView]:
    course = Course(id=intent.new_id("course"), **dict(body))
    return await intent.run(Do(COURSES, course.id, Publish(course=course)), reply=CourseView.of)


@router.get("/courses/{course_id}", policy=EVERYONE)
async def get_course(course_id: Id, query: Query) -> CourseView:
    return CourseView.of(await query.get(COURSES, course_id, unknown="course-unknown"))


@router.get("/courses", policy=EVERYONE)
async def list_courses(
    query: Query, paging: Paging, competence: Code | None = None
) -> Page[CourseView]:
    where = {} if competence is None else {"competence": competence}
    return await query.page(COURSES, where, paging, of=CourseView.of)
