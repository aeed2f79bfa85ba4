"""Her readiness: which facts make it, and what a fair may ask of it."""

import pytest

from services.trade.domain.readiness import (
    READINESS,
    AnswerFair,
    Certify,
    CloseEnrolment,
    CourseCertified,
    CourseUncertified,
    EnrolmentClosed,
    EnrolmentOpened,
    KeepPlace,
    OpenEnrolment,
    PlaceKept,
    PlacesForsaken,
    RequirementsMet,
    Uncertify,
    is_enrolled,
)
from shared.events.trade import Leaf, ReadinessAssessed
from shared.model import Command, Refused
from tests.support.spec import Spec, context

OPEN = OpenEnrolment(person_id="ana", enrolment_id="ana:call-1")
OPENED = EnrolmentOpened(**dict(OPEN))
SECOND = EnrolmentOpened(person_id="ana", enrolment_id="ana:call-2")
CERTIFY = Certify(person_id="ana", course_id="course-1")
CERTIFIED = CourseCertified(**dict(CERTIFY))
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


@pytest.mark.parametrize("command", [CLOSE, Uncertify(course_id="course-1")])
def test_taking_back_what_never_was_is_nothing(command: Command) -> None:
    Spec(READINESS).when(command).then_nothing()
    Spec(READINESS).given(EnrolmentOpened(**dict(SECOND))).when(command).then_nothing()


def test_a_revoked_completion_makes_readiness_unmet_and_keeps_her_places() -> None:
    gone = READY.given(PLACE).when(Uncertify(course_id="course-1"))
    gone.then(CourseUncertified(course_id="course-1"), assessed(False, "met"))
    assert gone.state.places == ("ana:fair-1",)


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
