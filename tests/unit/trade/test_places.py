"""A place: its offer's clock, and how it is confirmed, lost or given back."""

from datetime import timedelta

import pytest

from services.trade.domain.places import (
    PLACES,
    Apply,
    Bind,
    Bound,
    Confirm,
    Keep,
    Queue,
    Weigh,
    Weighed,
    Withdraw,
)
from shared.events.trade import (
    PlaceApplied,
    PlaceConfirmed,
    PlaceOffered,
    PlaceOfferExpired,
    PlacePromoted,
    PlaceWaitlisted,
    PlaceWithdrawn,
)
from shared.model import Command, Tick
from tests.support.spec import NOON, Spec
from tests.unit.trade.scenes import LATE

WHO = {"person_id": "ana", "place_id": "ana:fair-1", "fair_id": "fair-1"}
APPLY = Apply(**WHO)
KEEP = Keep(seconds=60)
LEAVE = Withdraw(reason_code="health")
JUST_IN_TIME = LATE - timedelta(milliseconds=1)

APPLIED = Spec(PLACES).given(PlaceApplied(**WHO))
WAITLISTED = APPLIED.given(PlaceWaitlisted(**WHO, rank=3))
OFFERED = APPLIED.given(PlaceOffered(**WHO, expires_at=LATE))
CONFIRMED = OFFERED.given(PlaceConfirmed(**WHO))
EXPIRED = OFFERED.given(PlaceOfferExpired(**WHO))
WITHDRAWN = WAITLISTED.given(PlaceWithdrawn(**WHO, reason_code="health"))


def test_a_place_is_applied_for_and_a_repeat_is_nothing() -> None:
    Spec(PLACES).when(APPLY).then(PlaceApplied(**WHO)).when(APPLY).then_nothing()


@pytest.mark.parametrize("scene", [WAITLISTED, OFFERED, CONFIRMED])
def test_whoever_has_or_awaits_a_place_cannot_apply_again(scene: Spec) -> None:
    scene.when(APPLY).then_nothing()


def test_a_kept_place_is_offered_with_a_clock() -> None:
    APPLIED.when(KEEP).then(PlaceOffered(**WHO, expires_at=LATE)).then_due(LATE)


def test_a_place_in_line_knows_its_rank_and_is_promoted_with_a_clock_of_its_own() -> None:
    waits = APPLIED.when(Queue(rank=3)).then(PlaceWaitlisted(**WHO, rank=3)).then_due(None)
    assert (waits.state.status, waits.state.rank) == ("waitlisted", 3)
    until = LATE + timedelta(seconds=60)
    waits.when(KEEP, at=LATE).then(PlacePromoted(**WHO, expires_at=until)).then_due(until)


def test_an_offer_confirmed_in_time_is_hers() -> None:
    confirmed = OFFERED.when(Confirm(), at=JUST_IN_TIME).then(PlaceConfirmed(**WHO))
    confirmed.then_due(None).when(Confirm(), at=LATE).then_nothing()


@pytest.mark.parametrize("scene", [OFFERED, EXPIRED])
def test_an_offer_confirmed_too_late_is_refused(scene: Spec) -> None:
    scene.when(Confirm(), at=LATE).then_refused("place-offer-expired")


@pytest.mark.parametrize("scene", [APPLIED, WAITLISTED, WITHDRAWN])
def test_nothing_can_be_confirmed_that_was_not_offered(scene: Spec) -> None:
    scene.when(Confirm()).then_refused("place-not-offered")


def test_the_clock_takes_an_unanswered_offer_back() -> None:
    OFFERED.when(Tick(), at=JUST_IN_TIME).then_nothing()
    OFFERED.when(Tick(), at=LATE).then(PlaceOfferExpired(**WHO)).then_due(None)
    CONFIRMED.when(Tick(), at=LATE).then_nothing()


@pytest.mark.parametrize("scene", [WAITLISTED, OFFERED, CONFIRMED])
def test_a_place_is_withdrawn_once_with_a_reason(scene: Spec) -> None:
    gone = scene.when(LEAVE).then(PlaceWithdrawn(**WHO, reason_code="health")).then_due(None)
    assert (gone.state.status, gone.state.reason_code) == ("withdrawn", "health")
    gone.when(LEAVE).then_nothing()


@pytest.mark.parametrize("scene", [EXPIRED, WITHDRAWN])
def test_a_place_that_was_lost_can_be_applied_for_anew_without_its_past(scene: Spec) -> None:
    again = scene.when(APPLY).then(PlaceApplied(**WHO)).state
    past = (again.status, again.rank, again.expires_at, again.reason_code)
    assert past == ("applied", None, None, None)
    scene.when(LEAVE).then_nothing()


@pytest.mark.parametrize("command", [KEEP, Queue(rank=1)])
@pytest.mark.parametrize("scene", [OFFERED, CONFIRMED, EXPIRED, WITHDRAWN])
def test_an_answer_of_the_fair_that_comes_again_is_nothing(scene: Spec, command: Command) -> None:
    scene.when(command, at=NOON).then_nothing()


@pytest.mark.parametrize("command", [Confirm(), LEAVE, KEEP, Tick()])
def test_a_place_that_nobody_applied_for_is_unknown(command: Command) -> None:
    Spec(PLACES).when(command).then_refused("place-unknown")


@pytest.mark.parametrize("scene", [OFFERED, CONFIRMED, EXPIRED, WITHDRAWN])
def test_a_rank_and_a_clock_are_shown_only_while_they_run(scene: Spec) -> None:
    place = scene.state
    assert place.rank is None
    assert (place.expires_at is not None) == (place.status == "offered")
    promoted = WAITLISTED.when(KEEP)
    assert promoted.state.rank is None
    assert promoted.when(Confirm()).state.expires_at is None


NEEDED = ("enrolled", "course:course-1")
LOSE, REGAIN = (Weigh(requirement="course:course-1", met=met) for met in (False, True))


def test_a_requirement_that_she_lost_is_marked_until_it_is_met_again() -> None:
    bound = APPLIED.when(Bind(requirements=NEEDED)).then(Bound(requirements=NEEDED))
    lost = bound.when(LOSE).then(Weighed(unmet=("course:course-1",)))
    lost.when(LOSE).then_nothing()
    lost.when(REGAIN).then(Weighed(unmet=())).when(REGAIN).then_nothing()
    bound.when(Weigh(requirement="course:course-2", met=False)).then_nothing()


@pytest.mark.parametrize("scene", [EXPIRED, WITHDRAWN])
def test_a_place_that_ended_is_not_weighed(scene: Spec) -> None:
    scene.given(Bound(requirements=NEEDED)).when(LOSE).then_nothing()
