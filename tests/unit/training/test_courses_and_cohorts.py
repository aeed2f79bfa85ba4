"""Courses and cohorts: who gets a place, who waits, and who is next."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.training.domain import cohorts
from services.training.domain.cohorts import (
    COHORTS,
    CloseLeft,
    CohortPlanned,
    Leave,
    ListClosed,
    Open,
    PlaceAwaited,
    PlaceGiven,
    PlaceLeft,
    PlaceOffered,
    PlaceSettled,
    PlanCohort,
    RuleKept,
    Settle,
    Take,
)
from services.training.domain.courses import COURSES, CourseWritten, Publish, RuleTold, TellRule
from shared.events.training import CohortOpened, CoursePublished
from shared.model import Do, Tick
from shared.types import MAX_COUNT
from tests.support.spec import NOON, Spec
from tests.support.world import World
from tests.unit.training.scenes import COURSE, PLAN, RULE, TERMS, academy

PUBLIC = CoursePublished(
    course_id="course-1", competence="digital-selling", hours=20, languages=("es-MX", "tzo")
)
PLANNED = CohortPlanned(cohort_id="cohort-1", plan=PLAN)
KEPT = RuleKept(rule=RULE)


def given_seat(name: str) -> PlaceGiven:
    return PlaceGiven(seat_id=name, terms=TERMS)


def awaited(name: str, rank: int) -> PlaceAwaited:
    return PlaceAwaited(seat_id=name, terms=TERMS, rank=rank)


FULL = Spec(COHORTS).given(PLANNED, KEPT, given_seat("a"), given_seat("b"))
BEGINS = datetime(2026, 4, 1, 6, tzinfo=UTC)
JUST_BEFORE = BEGINS - timedelta(seconds=1)
OFFER_ENDS = NOON + timedelta(seconds=60)


def test_a_course_is_published_once() -> None:
    published = Spec(COURSES).when(Publish(course=COURSE))
    published.then(CourseWritten(course=COURSE), PUBLIC)
    published.when(Publish(course=COURSE)).then_nothing()
    other = COURSE.model_copy(update={"hours": 30})
    published.when(Publish(course=other)).then_refused("course-exists")


def test_a_course_has_one_version_a_language() -> None:
    twice = COURSE.model_copy(update={"versions": (COURSE.versions[0], COURSE.versions[0])})
    Spec(COURSES).when(Publish(course=twice)).then_refused("course-language-twice")


def test_a_course_tells_its_rule_only_for_a_language_it_is_given_in() -> None:
    course = Spec(COURSES).given(CourseWritten(course=COURSE))
    tell = TellRule(cohort_id="cohort-1", language="tzo")
    course.when(tell).then(RuleTold(cohort_id="cohort-1", rule=RULE))
    course.when(TellRule(cohort_id="cohort-1", language="yua")).then_refused(
        "course-not-in-language"
    )
    Spec(COURSES).when(tell).then_refused("course-unknown")


def test_a_cohort_opens_with_the_rule_of_its_course_in_one_intent() -> None:
    world = academy(0)
    cohort = world.get(COHORTS, "cohort-1")
    assert (cohort.rule, cohort.free) == (RULE, 2)


def test_a_cohort_in_a_language_that_the_course_lacks_is_refused_whole() -> None:
    world = academy(0)
    plan = PLAN.model_copy(update={"language": "yua"})
    step = Do(COHORTS, "cohort-2", PlanCohort(cohort_id="cohort-2", plan=plan))
    assert world.refused(step) == "course-not-in-language"
    assert (COHORTS.name, "cohort-2") not in world.states


def test_opening_publishes_the_cohort_and_a_repeat_nothing() -> None:
    opened = CohortOpened(
        cohort_id="cohort-1",
        course_id="course-1",
        language="tzo",
        state="07",
        capacity=2,
        starts_on=PLAN.starts_on,
    )
    cohort = Spec(COHORTS).given(PLANNED).when(Open(rule=RULE)).then(KEPT, opened)
    cohort.when(Open(rule=RULE)).then_nothing()


@pytest.mark.parametrize("state", [None, Spec(COHORTS).given(PLANNED).state])
def test_a_cohort_that_is_not_open_gives_no_place(state: cohorts.Cohort | None) -> None:
    code = "cohort-unknown" if state is None else "cohort-not-open"
    Spec(COHORTS, state).when(Take(seat_id="a")).then_refused(code)


def test_places_are_given_while_there_are_any_and_then_ranks() -> None:
    one = Spec(COHORTS).given(PLANNED, KEPT, given_seat("a"))
    one.when(Take(seat_id="b")).then(given_seat("b"))
    queued = FULL.when(Take(seat_id="c")).then(awaited("c", 1))
    queued.when(Take(seat_id="d")).then(awaited("d", 2))


def test_taking_twice_changes_nothing() -> None:
    FULL.when(Take(seat_id="a")).then_nothing()
    FULL.given(awaited("c", 1)).when(Take(seat_id="c")).then_nothing()


def test_a_freed_place_is_offered_to_the_first_in_line() -> None:
    offered = PlaceOffered(seat_id="c", expires_at=OFFER_ENDS)
    line = FULL.given(awaited("c", 1), awaited("d", 2))
    after = line.when(Leave(seat_id="a")).then(PlaceLeft(seat_id="a"), offered)
    assert (after.state.free, after.state.offered) == (0, ("c",))
    after.when(Settle(seat_id="c")).then(PlaceSettled(seat_id="c"))


def test_whoever_leaves_the_line_frees_no_place() -> None:
    line = FULL.given(awaited("c", 1), awaited("d", 2))
    line.when(Leave(seat_id="c")).then(PlaceLeft(seat_id="c"))


def test_leaving_twice_and_settling_twice_change_nothing() -> None:
    FULL.when(Leave(seat_id="z")).then_nothing()
    FULL.when(Settle(seat_id="a")).then_nothing()


def test_the_list_has_a_largest_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohorts, "MAX_WAITING", 1)
    FULL.given(awaited("c", 1)).when(Take(seat_id="d")).then_refused("cohort-list-full")


def test_no_rank_is_given_beyond_the_last_number() -> None:
    FULL.given(awaited("c", MAX_COUNT)).when(Take(seat_id="d")).then_refused("cohort-list-full")


def test_a_cohort_takes_requests_until_its_day_begins_in_mexico() -> None:
    one = Spec(COHORTS).given(PLANNED, KEPT, given_seat("a"))
    one.when(Take(seat_id="b"), at=JUST_BEFORE).then(given_seat("b"))
    one.when(Take(seat_id="b"), at=BEGINS).then_refused("cohort-started")
    one.when(Take(seat_id="a"), at=BEGINS).then_nothing()


def test_a_cohort_that_has_begun_cannot_be_planned() -> None:
    plan = PlanCohort(cohort_id="cohort-1", plan=PLAN)
    Spec(COHORTS).when(plan, at=BEGINS).then_refused("cohort-started")
    FULL.when(plan, at=BEGINS).then_nothing()


def test_another_plan_under_a_known_id_is_refused() -> None:
    other = PLAN.model_copy(update={"capacity": PLAN.capacity + 1})
    FULL.when(PlanCohort(cohort_id="cohort-1", plan=other)).then_refused("cohort-exists")


def test_nobody_waits_for_a_cohort_that_has_begun_or_is_promoted_into_it() -> None:
    line = FULL.given(awaited("c", 1), awaited("d", 2))
    line.then_due(BEGINS).when(Tick(), at=JUST_BEFORE).then_nothing()
    closed = line.when(Tick(), at=BEGINS)
    closed.then(ListClosed(seat_ids=("c", "d"), reason_code="cohort-started")).then_due(None)
    assert closed.state.held == ("a", "b")
    line.when(Leave(seat_id="a"), at=BEGINS).then(PlaceLeft(seat_id="a"))
    FULL.then_due(None)


def test_no_offer_outlives_the_beginning_of_the_cohort() -> None:
    left = FULL.given(awaited("c", 1)).when(Leave(seat_id="a"), at=JUST_BEFORE)
    left.then(PlaceLeft(seat_id="a"), PlaceOffered(seat_id="c", expires_at=BEGINS))


def test_a_long_list_is_closed_by_the_clock_to_the_last_wait() -> None:
    ids = tuple(f"w-{number}" for number in range(cohorts.PAGE + 1))
    line = FULL.given(*(awaited(one, rank) for rank, one in enumerate(ids, 1)))
    first = line.when(Tick(), at=BEGINS)
    page = ListClosed(seat_ids=ids[:-1], reason_code="cohort-started")
    first.then(page, CloseLeft(at=BEGINS)).then_due(BEGINS)
    last = first.when(Tick(), at=BEGINS)
    last.then(ListClosed(seat_ids=ids[-1:], reason_code="cohort-started")).then_due(None)
    last.when(Tick(), at=BEGINS).then_nothing()


COMMANDS = st.tuples(st.sampled_from([Take, Settle, Leave]), st.sampled_from("abcdefgh"))


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 3), st.lists(COMMANDS, max_size=40))
def test_no_order_of_commands_gives_too_many_places_or_skips_a_rank(
    capacity: int, commands: list[tuple[type[Take | Settle | Leave], str]]
) -> None:
    plan = PLAN.model_copy(update={"capacity": capacity})
    scene = Spec(COHORTS).given(CohortPlanned(cohort_id="cohort-1", plan=plan), KEPT)
    for command, seat_id in commands:
        line = scene.state.waiting
        scene = scene.when(command(seat_id=seat_id))
        after: cohorts.Cohort = scene.state
        ranks = [one.rank for one in after.waiting]
        everyone = [*after.held, *after.offered, *(one.seat_id for one in after.waiting)]
        assert after.free >= 0
        assert not (after.free and after.waiting), "a place stays free while someone waits"
        assert ranks == sorted(set(ranks))
        assert len(set(everyone)) == len(everyone), "nobody stands in two places"
        for offer in [e for e in scene.events if isinstance(e, PlaceOffered)]:
            assert offer.seat_id == line[0].seat_id, "the first in line comes first"


def test_an_unknown_course_opens_no_cohort() -> None:
    world = World(academy(0).handlers)
    step = Do(COHORTS, "cohort-1", PlanCohort(cohort_id="cohort-1", plan=PLAN))
    assert world.refused(step) == "course-unknown"
