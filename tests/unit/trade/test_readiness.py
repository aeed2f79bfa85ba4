"""Her readiness: which facts make it, and what a fair may ask of it."""

from datetime import date, timedelta

import pytest

from services.trade.domain.readiness import (
    MAX_PLACES,
    READINESS,
    AnswerFair,
    BookDay,
    Booked,
    Certify,
    CloseEnrolment,
    CourseCertified,
    CourseUncertified,
    DayBooked,
    EnrolmentClosed,
    EnrolmentOpened,
    KeepPlace,
    OpenEnrolment,
    PlaceKept,
    PlaceReleased,
    PlacesForsaken,
    ReleasePlace,
    RequirementsMet,
    Uncertify,
    is_enrolled,
)
from shared.events.trade import Leaf, ReadinessAssessed
from shared.model import Command, Refused
from shared.types import start_of
from tests.support.spec import Spec, context

OPEN = OpenEnrolment(person_id="ana", enrolment_id="ana:call-1")
OPENED = EnrolmentOpened(**dict(OPEN))
SECOND = EnrolmentOpened(person_id="ana", enrolment_id="ana:call-2")
CERTIFY = Certify(person_id="ana", course_id="course-1")
CERTIFIED = CourseCertified(**dict(CERTIFY), place_ids=())
UNCERTIFY = Uncertify(course_id="course-1", reason_code="issued-by-mistake")
UNCERTIFIED = CourseUncertified(**dict(UNCERTIFY), place_ids=())
CLOSE = CloseEnrolment(enrolment_id="ana:call-1")
CLOSED = EnrolmentClosed(enrolment_id="ana:call-1")
PLACE = PlaceKept(place_id="ana:fair-1")

ENROLLED = Spec(READINESS).given(OPENED)
READY = ENROLLED.given(CERTIFIED)


def assessed(met: bool, enrolled: str, *courses: str) -> ReadinessAssessed:
    leaves = (
        Leaf(code="enrolled", result=enrolled),
        *(Leaf(code=c, result="met") for c in courses),
    )
    return ReadinessAssessed(person_id="ana", met=met, leaves=leaves)


DAY = date(2026, 11, 18)


def booked(place_id: str) -> Booked:
    return Booked(place_id=place_id, day=DAY)


def book(place_id: str) -> BookDay:
    return BookDay(booked=booked(place_id))


def answer(*requirements: str) -> AnswerFair:
    return AnswerFair(place_id="ana:fair-1", fair_id="fair-1", requirements=requirements)


def test_readiness_opens_with_an_enrolment_and_grows_with_a_certificate() -> None:
    first = Spec(READINESS).when(OPEN).then(OPENED, assessed(False, "met"))
    first.when(CERTIFY).then(CERTIFIED, assessed(True, "met", "course:course-1"))


def test_readiness_opens_with_a_certificate_that_comes_before_the_enrolment() -> None:
    first = Spec(READINESS).when(CERTIFY)
    first.then(CERTIFIED, assessed(False, "unmet", "course:course-1"))
    first.when(OPEN).then(OPENED, assessed(True, "met", "course:course-1"))


@pytest.mark.parametrize("command", [OPEN, CERTIFY])
def test_a_fact_told_twice_is_nothing(command: Command) -> None:
    READY.when(command).then_nothing()


def test_an_assessment_is_published_only_when_it_changed() -> None:
    READY.when(OpenEnrolment(**dict(SECOND))).then(SECOND)
    READY.given(SECOND).when(CLOSE).then(CLOSED)


@pytest.mark.parametrize("command", [CLOSE, UNCERTIFY])
def test_taking_back_what_never_was_is_nothing(command: Command) -> None:
    Spec(READINESS).when(command).then_nothing()
    Spec(READINESS).given(EnrolmentOpened(**dict(SECOND))).when(command).then_nothing()


def lost(reason_code: str) -> ReadinessAssessed:
    leaves = (
        Leaf(code="enrolled", result="met"),
        Leaf(code="course:course-1", result="unmet", reason_code=reason_code),
    )
    return ReadinessAssessed(person_id="ana", met=False, leaves=leaves)


def test_a_revoked_completion_is_shown_as_unmet_with_its_reason_and_keeps_her_places() -> None:
    gone = READY.given(PLACE).when(UNCERTIFY)
    named = UNCERTIFIED.model_copy(update={"place_ids": ("ana:fair-1",)})
    gone.then(named, lost("issued-by-mistake"))
    assert gone.state.places == ("ana:fair-1",)
    gone.when(UNCERTIFY).then_nothing()


def test_a_course_that_is_certified_again_is_met_again_and_lost_for_its_last_reason() -> None:
    again = READY.given(UNCERTIFIED).when(CERTIFY)
    again.then(CERTIFIED, assessed(True, "met", "course:course-1"))
    other = UNCERTIFY.model_copy(update={"reason_code": "identity-mismatch"})
    assert again.when(other).events[-1] == lost("identity-mismatch")


def test_only_the_last_withdrawal_forsakes_her_places() -> None:
    both = ENROLLED.given(SECOND, PLACE)
    one = both.when(CLOSE).then(CLOSED)
    last = one.when(CloseEnrolment(enrolment_id="ana:call-2"))
    last.then(
        EnrolmentClosed(enrolment_id="ana:call-2"),
        PlacesForsaken(place_ids=("ana:fair-1",)),
        assessed(False, "unmet"),
    )
    assert last.state.places == ()


def test_a_place_is_kept_once() -> None:
    ENROLLED.when(KeepPlace(place_id="ana:fair-1")).then(PLACE)
    ENROLLED.given(PLACE).when(KeepPlace(place_id="ana:fair-1")).then_nothing()


def test_a_place_is_released_once_and_the_live_ones_are_limited() -> None:
    kept = ENROLLED.given(*(PlaceKept(place_id=f"p-{n}") for n in range(MAX_PLACES)))
    kept.when(KeepPlace(place_id="p-0")).then_nothing()
    kept.when(KeepPlace(place_id="p-x")).then_refused("places-too-many")
    freed = kept.when(ReleasePlace(place_id="p-0")).then(PlaceReleased(place_id="p-0"))
    freed.when(ReleasePlace(place_id="p-0")).then_nothing()
    freed.when(KeepPlace(place_id="p-x")).then(PlaceKept(place_id="p-x"))


def test_one_day_is_booked_once_and_free_again_with_its_place() -> None:
    both = ENROLLED.given(PLACE, PlaceKept(place_id="ana:fair-2"))
    one = both.when(book("ana:fair-1")).then(DayBooked(booked=booked("ana:fair-1")))
    one.when(book("ana:fair-1")).then_nothing()
    one.when(book("ana:fair-2")).then_refused("place-same-day")
    one.when(ReleasePlace(place_id="ana:fair-1")).when(book("ana:fair-2")).then(
        DayBooked(booked=booked("ana:fair-2"))
    )
    assert one.when(CLOSE).state.booked == ()


def test_where_she_has_been_counts_no_more() -> None:
    kept = ENROLLED.given(*(PlaceKept(place_id=f"p-{n}") for n in range(MAX_PLACES)))
    went = kept.given(DayBooked(booked=booked("p-0")))
    new, begins = KeepPlace(place_id="p-x"), start_of(DAY)
    went.when(new, at=begins - timedelta(seconds=1)).then_refused("places-too-many")
    after = went.when(new, at=begins)
    after.then(PlaceReleased(place_id="p-0"), PlaceKept(place_id="p-x"))
    assert (len(after.state.places), after.state.booked) == (MAX_PLACES, ())


def test_a_fair_is_answered_when_all_that_it_requires_is_met() -> None:
    met = RequirementsMet(place_id="ana:fair-1", fair_id="fair-1")
    READY.when(answer("enrolled", "course:course-1")).then(met)
    Spec(READINESS).when(answer()).then(met)


@pytest.mark.parametrize(
    ("scene", "required"),
    [
        (ENROLLED, "course:course-1"),
        (READY, "course:course-2"),
        (Spec(READINESS).given(CERTIFIED), "enrolled"),
        (Spec(READINESS), "enrolled"),
    ],
)
def test_one_unmet_requirement_is_a_refusal(scene: Spec, required: str) -> None:
    scene.when(answer(required)).then_refused("requirements-unmet")


@pytest.mark.parametrize("scene", [Spec(READINESS), ENROLLED.given(CLOSED)])
def test_who_has_no_live_enrolment_is_not_enrolled(scene: Spec) -> None:
    with pytest.raises(Refused, match="not-enrolled"):
        is_enrolled(scene.state, context())
    is_enrolled(ENROLLED.state, context())
