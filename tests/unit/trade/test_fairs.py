"""A fair: who gets a place of the delegation, who waits, and what a cancellation undoes."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.trade.domain import fairs
from services.trade.domain.fairs import (
    FAIRS,
    MAX_WAITING,
    Ask,
    Asked,
    Cancel,
    Free,
    Freed,
    Leave,
    Left,
    Planned,
    Publish,
    Queued,
    SeatKept,
    Settle,
    Settled,
    Take,
    UndoLeft,
    Undone,
)
from shared.events.trade import FairCancelled, FairPublished
from shared.model import Tick
from shared.types import MAX_COUNT
from tests.support.spec import NOON, Spec
from tests.unit.trade.scenes import PLAN

PUBLISH = Publish(fair_id="fair-1", plan=PLAN)
PLANNED = Planned(fair_id="fair-1", plan=PLAN)
PUBLIC = {
    "fair_id": "fair-1",
    "kind": "fair",
    "country": "CO",
    "starts_on": PLAN.starts_on,
    "places": 2,
    "requirements": ("enrolled", "course:course-1"),
}
CANCELLED = FairCancelled(**PUBLIC)


def kept(name: str) -> SeatKept:
    return SeatKept(place_id=name, seconds=60)


def settle(name: str) -> Settle:
    return Settle(place_id=name, person_id=f"ana-{name}")


def settled(name: str) -> Settled:
    return Settled(place_id=name, person_id=f"ana-{name}", starts_on=PLAN.starts_on)


BEGINS = datetime(2026, 11, 18, 6, tzinfo=UTC)
"""Midnight in central Mexico."""
JUST_BEFORE = BEGINS - timedelta(milliseconds=1)

EMPTY = Spec(FAIRS).given(PLANNED)
FULL = EMPTY.given(kept("a"), kept("b"))
LINE = FULL.given(Queued(place_id="c", rank=1), Queued(place_id="d", rank=2))


def test_a_fair_is_published_once_without_its_offer_terms() -> None:
    published = Spec(FAIRS).when(PUBLISH).then(PLANNED, FairPublished(**PUBLIC))
    published.when(PUBLISH).then_nothing()
    other = PLAN.model_copy(update={"country": "PE"})
    published.when(Publish(fair_id="fair-1", plan=other)).then_refused("fair-exists")
    published.when(Cancel()).when(PUBLISH).then_refused("fair-exists")


def test_a_fair_that_nobody_published_is_unknown() -> None:
    Spec(FAIRS).when(Take(place_id="a")).then_refused("fair-unknown")


def test_a_fair_says_what_it_requires() -> None:
    asked = Asked(place_id="a", person_id="ana", fair_id="fair-1", requirements=PLAN.requirements)
    EMPTY.when(Ask(place_id="a", person_id="ana")).then(asked)


def test_places_are_kept_while_there_are_any_and_then_ranks() -> None:
    one = EMPTY.when(Take(place_id="a")).then(kept("a"))
    two = one.when(Take(place_id="b")).then(kept("b"))
    three = two.when(Take(place_id="c")).then(Queued(place_id="c", rank=1))
    three.when(Take(place_id="d")).then(Queued(place_id="d", rank=2))


def test_taking_twice_changes_nothing() -> None:
    LINE.when(Take(place_id="a")).then_nothing()
    LINE.when(Take(place_id="c")).then_nothing()


def test_a_rank_is_never_given_twice() -> None:
    gone = LINE.when(Leave(place_id="d"))
    gone.when(Take(place_id="e")).then(Queued(place_id="e", rank=3))


def test_a_freed_place_goes_to_the_first_in_line() -> None:
    after = LINE.when(Leave(place_id="a")).then(Left(place_id="a"), kept("c"))
    assert (after.state.taken, after.state.waiting) == (("b", "c"), ("d",))


def test_whoever_leaves_the_line_frees_no_place() -> None:
    LINE.when(Leave(place_id="c")).then(Left(place_id="c"))
    LINE.when(Leave(place_id="z")).then_nothing()


def test_a_confirmed_place_is_settled_once_and_freed_when_she_leaves() -> None:
    hers = FULL.when(settle("a")).then(settled("a"))
    hers.when(settle("a")).then_nothing()
    assert hers.when(Leave(place_id="a")).state.confirmed == ()
    LINE.when(settle("c")).then_nothing()


def test_a_cancellation_undoes_the_line_before_the_places() -> None:
    cancelled = LINE.given(settled("a")).when(Cancel())
    undone = Undone(place_ids=("c", "d", "a", "b"), reason_code="fair-cancelled")
    cancelled.then(CANCELLED, undone).then_due(None)
    after = cancelled.state
    assert (after.taken, after.confirmed, after.waiting) == ((), (), ())
    cancelled.when(Cancel()).then_nothing()


def test_a_cancelled_fair_takes_nobody_and_promotes_nobody() -> None:
    cancelled = LINE.given(CANCELLED)
    cancelled.when(Ask(place_id="e", person_id="eva")).then_refused("fair-cancelled")
    cancelled.when(Leave(place_id="a")).then(Left(place_id="a"))


def test_a_fair_that_has_begun_is_history() -> None:
    went = FULL.given(settled("a"))
    went.when(Cancel(), at=BEGINS).then_refused("fair-started")
    went.when(Leave(place_id="a"), at=BEGINS).then_refused("fair-started")
    went.when(Free(place_id="a"), at=BEGINS).then_nothing()
    went.when(Leave(place_id="a"), at=JUST_BEFORE).then(Left(place_id="a"))
    went.when(Free(place_id="a"), at=JUST_BEFORE).then(Freed(place_id="a"))
    went.when(Free(place_id="b"), at=BEGINS).then(Freed(place_id="b"))
    went.when(Free(place_id="z")).then_nothing()


def test_what_was_cancelled_in_time_is_undone_also_after_its_day() -> None:
    cancelled = FULL.given(settled("a"), CANCELLED)
    cancelled.when(Cancel(), at=BEGINS).then_nothing()
    cancelled.when(Leave(place_id="a"), at=BEGINS).then(Left(place_id="a"))
    cancelled.when(Free(place_id="a"), at=BEGINS).then(Freed(place_id="a"))


def test_a_large_fair_is_undone_page_by_page() -> None:
    ids = tuple(f"p-{number}" for number in range(fairs.PAGE + 1))
    plan = PLAN.model_copy(update={"places": len(ids)})
    planned = Planned(fair_id="fair-1", plan=plan)
    large = Spec(FAIRS).given(planned, *(kept(one) for one in ids)).when(Cancel())
    undone = Undone(place_ids=ids[:-1], reason_code="fair-cancelled")
    assert large.events[1:] == [undone, UndoLeft(at=NOON)]
    large.then_due(NOON)
    large.when(Tick(), at=NOON - timedelta(seconds=1)).then_nothing()
    rest = Undone(place_ids=ids[-1:], reason_code="fair-cancelled")
    last = large.when(Tick()).then(rest).then_due(None)
    assert last.state.taken == ()
    last.when(Tick()).then_nothing()


def test_a_fair_takes_applications_until_its_day_begins_in_mexico() -> None:
    ask = Ask(place_id="a", person_id="ana")
    assert len(EMPTY.when(ask, at=JUST_BEFORE).events) == 1
    EMPTY.when(ask, at=BEGINS).then_refused("fair-started")


def test_a_fair_that_has_begun_cannot_be_published() -> None:
    Spec(FAIRS).when(PUBLISH, at=BEGINS).then_refused("fair-started")
    EMPTY.when(PUBLISH, at=BEGINS).then_nothing()


def test_nobody_waits_for_a_fair_that_has_begun() -> None:
    LINE.then_due(BEGINS).when(Tick(), at=JUST_BEFORE).then_nothing()
    begun = LINE.given(settled("a")).when(Tick(), at=BEGINS)
    begun.then(Undone(place_ids=("c", "d"), reason_code="fair-started")).then_due(None)
    assert (begun.state.taken, begun.state.confirmed) == (("a", "b"), ("a",))
    LINE.when(Leave(place_id="a"), at=BEGINS).then(Left(place_id="a"))


def test_no_offer_outlives_the_beginning_of_the_fair() -> None:
    late = BEGINS - timedelta(seconds=10)
    EMPTY.when(Take(place_id="a"), at=late).then(SeatKept(place_id="a", seconds=10))
    LINE.when(Leave(place_id="a"), at=late).then(
        Left(place_id="a"), SeatKept(place_id="c", seconds=10)
    )


def test_no_rank_is_given_beyond_the_last_number() -> None:
    last = FULL.given(Queued(place_id="c", rank=MAX_COUNT))
    last.when(Take(place_id="d")).then_refused("fair-list-full")


def test_a_line_has_an_end() -> None:
    line = FULL.given(*(Queued(place_id=f"w-{n}", rank=n) for n in range(1, MAX_WAITING)))
    full = line.when(Take(place_id="c")).then(Queued(place_id="c", rank=MAX_WAITING))
    full.when(Take(place_id="d")).then_refused("fair-list-full")
    full.when(Take(place_id="c")).then_nothing()


NAMES = st.sampled_from("abcdefgh")
COMMANDS = st.one_of(
    st.builds(Take, place_id=NAMES), st.builds(settle, NAMES), st.builds(Leave, place_id=NAMES)
)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 3), st.lists(COMMANDS, max_size=40))
def test_no_order_of_commands_gives_too_many_places_or_skips_the_line(
    places: int, commands: list[Take | Settle | Leave]
) -> None:
    plan = PLAN.model_copy(update={"places": places})
    scene = Spec(FAIRS).given(Planned(fair_id="fair-1", plan=plan))
    for command in commands:
        line = scene.state.waiting
        scene = scene.when(command)
        after: fairs.Fair = scene.state
        everyone = [*after.taken, *after.waiting]
        assert len(after.taken) <= places
        assert set(after.confirmed) <= set(after.taken)
        assert not (after.waiting and len(after.taken) < places), "free while someone waits"
        assert len(set(everyone)) == len(everyone), "nobody stands in two places"
        given_to = [event.place_id for event in scene.events if isinstance(event, SeatKept)]
        assert not line or given_to in ([], [line[0]]), "the first in line comes first"
