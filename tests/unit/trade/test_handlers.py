"""What one command or fact does to the whole of trade."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.trade.domain import fairs
from services.trade.domain.fairs import FAIRS, Cancel, Publish
from services.trade.domain.places import PLACES, Confirm, Withdraw
from services.trade.domain.readiness import READINESS
from services.trade.handlers import handlers
from shared.events.trade import PlacePromoted
from shared.model import Do, Event, Refused
from tests.support.spec import NOON
from tests.support.world import World
from tests.unit.trade.scenes import (
    LATE,
    PLAN,
    apply,
    certified,
    enrolled,
    fair,
    hall,
    names,
    place,
    place_of,
    publish,
    revoked,
    withdrawn,
)

LEAVE = Withdraw(reason_code="health")


def confirm(person_id: str, fair_id: str = "fair-1") -> Do:
    return Do(PLACES, place_of(person_id, fair_id), Confirm())


def leave(person_id: str) -> Do:
    return Do(PLACES, place_of(person_id), LEAVE)


def applied(women: int, places: int) -> World:
    """So many women have applied, in order."""
    world = hall(women, places)
    for number in range(women):
        world.run(apply(f"ana-{number}"))
    return world


def test_an_application_is_offered_in_the_same_intent_while_places_are_free() -> None:
    world = hall(1)
    assert names(world.run(apply("ana-0"))) == ["ana-0 PlaceApplied", "ana-0 PlaceOffered"]
    assert place(world, "ana-0").expires_at == LATE
    assert world.run(apply("ana-0")) == []


def test_a_full_delegation_puts_her_in_line() -> None:
    world = applied(2, places=1)
    assert names(world.published)[-2:] == ["ana-1 PlaceApplied", "ana-1 PlaceWaitlisted"]
    assert place(world, "ana-1").rank == 1


def test_who_does_not_meet_the_requirements_gets_no_place_and_leaves_no_trace() -> None:
    world = hall(0)
    world.consume(enrolled("eva"))
    assert world.refused(apply("eva")) == "requirements-unmet"
    assert (PLACES.name, place_of("eva")) not in world.states
    assert world.get(READINESS, "eva").places == ()
    assert fair(world).taken == ()


def test_facts_of_both_services_count_in_either_order() -> None:
    world = hall(0)
    world.consume(certified("eva"))
    world.consume(enrolled("eva"))
    assert names(world.run(apply("eva"))) == ["eva PlaceApplied", "eva PlaceOffered"]


def test_an_unknown_fair_is_refused() -> None:
    assert hall(1).refused(apply("ana-0", "fair-9")) == "fair-unknown"


def test_a_confirmation_is_counted_by_the_fair() -> None:
    world = applied(2, places=2)
    assert names(world.run(confirm("ana-0"))) == ["ana-0 PlaceConfirmed"]
    assert fair(world).confirmed == (place_of("ana-0"),)
    assert len(fair(world).taken) == 2


def test_nobody_is_at_two_fairs_on_one_day() -> None:
    world = applied(1, places=1)
    world.run(publish("fair-2"), publish("fair-3", starts_on=PLAN.starts_on + timedelta(days=1)))
    for fair_id in ("fair-2", "fair-3"):
        world.run(apply("ana-0", fair_id))
    world.run(confirm("ana-0"))
    assert world.refused(confirm("ana-0", "fair-2")) == "place-same-day"
    assert world.get(PLACES, place_of("ana-0", "fair-2")).status == "offered"
    world.run(confirm("ana-0", "fair-3"))


@pytest.mark.parametrize("end", [leave("ana-0"), Do(FAIRS, "fair-1", Cancel())])
def test_a_place_that_ended_leaves_her_the_day(end: Do) -> None:
    world = applied(1, places=1)
    world.run(publish("fair-2"), apply("ana-0", "fair-2"))
    world.run(confirm("ana-0"))
    world.run(end)
    world.run(confirm("ana-0", "fair-2"))
    assert world.get(PLACES, place_of("ana-0", "fair-2")).status == "confirmed"


def test_a_withdrawal_promotes_the_first_in_line_who_may_confirm() -> None:
    world = applied(3, places=1)
    assert names(world.run(leave("ana-0"))) == ["ana-0 PlaceWithdrawn", "ana-1 PlacePromoted"]
    world.run(confirm("ana-1"))
    assert fair(world).confirmed == (place_of("ana-1"),)
    ends = [place(world, f"ana-{number}").status for number in range(3)]
    assert ends == ["withdrawn", "confirmed", "waitlisted"]


def test_an_expired_offer_goes_to_the_next_in_line_with_a_clock_of_its_own() -> None:
    world = applied(2, places=1)
    assert names(world.tick(PLACES, LATE)) == ["ana-0 PlaceOfferExpired", "ana-1 PlacePromoted"]
    assert place(world, "ana-1").expires_at == LATE + timedelta(seconds=60)
    assert world.refused(confirm("ana-0"), at=LATE) == "place-offer-expired"


def test_who_lost_her_offer_applies_again_at_the_end_of_the_line() -> None:
    world = applied(3, places=1)
    world.tick(PLACES, LATE)
    world.run(apply("ana-0"), at=LATE)
    assert fair(world).waiting == (place_of("ana-2"), place_of("ana-0"))
    assert place(world, "ana-0").rank == 3


def test_the_last_withdrawn_enrolment_frees_her_places_for_the_next() -> None:
    world = applied(2, places=1)
    world.consume(enrolled("ana-0", "call-2"))
    assert world.consume(withdrawn("ana-0")) == []
    last = names(world.consume(withdrawn("ana-0", "call-2")))
    assert sorted(last) == [
        "ana-0 PlaceWithdrawn",
        "ana-0 ReadinessAssessed",
        "ana-1 PlacePromoted",
    ]
    assert place(world, "ana-0").reason_code == "enrolment-withdrawn"
    assert world.consume(withdrawn("ana-0", "call-2")) == []


def test_a_withdrawn_enrolment_ends_her_places_in_every_fair() -> None:
    world = hall(1)
    world.run(publish("fair-2"))
    world.run(apply("ana-0"))
    world.run(apply("ana-0", "fair-2"))
    world.consume(withdrawn("ana-0"))
    ends = [world.get(PLACES, place_of("ana-0", one)).status for one in ("fair-1", "fair-2")]
    assert ends == ["withdrawn", "withdrawn"]
    assert world.get(FAIRS, "fair-2").taken == ()


def test_what_she_went_to_stays_hers_and_only_what_is_to_come_is_given_back() -> None:
    world = applied(1, places=2)
    world.run(confirm("ana-0"))
    world.run(publish("fair-2", starts_on=PLAN.starts_on + timedelta(days=1)))
    world.run(apply("ana-0", "fair-2"), at=PLAN.begins_at - timedelta(hours=1))
    assert world.refused(leave("ana-0"), at=PLAN.begins_at) == "fair-started"
    left = names(world.consume(withdrawn("ana-0"), PLAN.begins_at))
    assert left == ["ana-0 ReadinessAssessed", "ana-0 PlaceWithdrawn"]
    assert place(world, "ana-0").status == "confirmed"
    assert fair(world).confirmed == (place_of("ana-0"),)
    assert world.get(PLACES, place_of("ana-0", "fair-2")).reason_code == "enrolment-withdrawn"


def test_a_revoked_completion_keeps_the_place_that_she_has() -> None:
    world = applied(1, places=1)
    assert names(world.consume(revoked("ana-0"))) == ["ana-0 ReadinessAssessed"]
    assert place(world, "ana-0").unmet == ("course:course-1",)
    world.run(confirm("ana-0"))
    assert place(world, "ana-0").status == "confirmed"
    world.run(publish("fair-2"))
    assert world.refused(apply("ana-0", "fair-2")) == "requirements-unmet"
    world.consume(certified("ana-0"))
    assert place(world, "ana-0").unmet == ()


def test_a_cancellation_ends_every_place_and_wait_and_promotes_nobody() -> None:
    world = applied(3, places=1)
    world.run(confirm("ana-0"))
    undone = world.run(Do(FAIRS, "fair-1", Cancel()))
    withdrawals = [f"ana-{number} PlaceWithdrawn" for number in (1, 2, 0)]
    assert names(undone) == [" FairCancelled", *withdrawals]
    assert {place(world, f"ana-{number}").reason_code for number in range(3)} == {"fair-cancelled"}
    assert world.refused(apply("ana-1")) == "fair-cancelled"


def test_a_large_fair_is_undone_by_the_clock_to_the_last_place() -> None:
    women = fairs.PAGE + 3
    world = applied(women, places=fairs.PAGE)
    first = world.run(Do(FAIRS, "fair-1", Cancel()))
    assert len(first) == 1 + fairs.PAGE
    rest = names(world.tick(FAIRS, NOON))
    assert len(rest) == 3
    assert {place(world, f"ana-{number}").status for number in range(women)} == {"withdrawn"}
    assert world.tick(FAIRS, LATE) == []


def test_whoever_waits_when_the_fair_begins_is_told_so() -> None:
    world = applied(3, places=1)
    world.run(confirm("ana-0"))
    begun = world.tick(FAIRS, PLAN.begins_at)
    assert names(begun) == ["ana-1 PlaceWithdrawn", "ana-2 PlaceWithdrawn"]
    assert place(world, "ana-1").reason_code == "fair-started"
    assert place(world, "ana-0").status == "confirmed"
    assert world.refused(apply("ana-1"), at=PLAN.begins_at) == "fair-started"


def test_a_place_that_ended_is_hers_no_more() -> None:
    world = applied(2, places=2)
    world.run(leave("ana-0"))
    world.tick(PLACES, LATE)
    assert [world.get(READINESS, f"ana-{number}").places for number in range(2)] == [(), ()]


ACTS = st.tuples(
    st.sampled_from(["apply", "confirm", "leave", "expire", "out", "in", "revoke", "certify"]),
    st.integers(0, 5),
)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 3), st.lists(ACTS, max_size=40))
def test_whatever_they_do_the_fair_is_never_over_capacity_and_ranks_are_honoured(
    places: int, acts: list[tuple[str, int]]
) -> None:
    world, at = hall(6, places), NOON
    for act, number in acts:
        line = fair(world).waiting
        at += timedelta(seconds=25)
        events = _act(world, act, f"ana-{number}", at)
        promoted = [event.place_id for event in events if isinstance(event, PlacePromoted)]
        if act != "expire":
            assert promoted == list(line[: len(promoted)])
        _agree(world)


def _act(world: World, act: str, person_id: str, at: datetime) -> list[Event]:
    steps = {"apply": apply(person_id), "confirm": confirm(person_id), "leave": leave(person_id)}
    facts: dict[str, Event] = {"out": withdrawn(person_id), "in": enrolled(person_id)}
    facts |= {"revoke": revoked(person_id), "certify": certified(person_id)}
    try:
        if act == "expire":
            return world.tick(PLACES, at)
        return world.run(steps[act], at=at) if act in steps else world.consume(facts[act], at)
    except Refused:  # no place, no offer, not ready: what must hold is checked after it
        return []


def _agree(world: World) -> None:
    now = fair(world)
    by_status: dict[str, set[str]] = {}
    for (name, id_), state in world.states.items():
        if name == PLACES.name:
            by_status.setdefault(state.status, set()).add(id_)
    confirmed, offered = by_status.get("confirmed", set()), by_status.get("offered", set())
    assert len(confirmed) + len(offered) <= now.places
    assert confirmed == set(now.confirmed)
    assert confirmed | offered == set(now.taken)
    assert by_status.get("waitlisted", set()) == set(now.waiting)
    assert "applied" not in by_status
    assert not (now.waiting and len(now.taken) < now.places), "free while someone waits"
    ranks = [world.get(PLACES, one).rank for one in now.waiting]
    assert ranks == sorted(set(ranks))
    live = {*now.taken, *now.waiting}
    dossiers = [state for (name, _), state in world.states.items() if name == READINESS.name]
    assert sorted(live) == sorted(id_ for one in dossiers for id_ in one.places)
    assert not [one for one in dossiers if one.places and not one.enrolments]
    for id_ in live:
        held = world.get(PLACES, id_)
        certified = world.get(READINESS, held.person_id).certified
        assert held.unmet == (() if certified else ("course:course-1",))


def test_an_offer_may_stand_as_long_as_a_fair_allows() -> None:
    world = World(handlers)
    most = 90 * 24 * 3600
    plan = PLAN.model_copy(update={"offer_seconds": most})
    world.run(Do(FAIRS, "fair-1", Publish(fair_id="fair-1", plan=plan)))
    world.consume(enrolled("ana"))
    world.consume(certified("ana"))
    world.run(apply("ana"))
    assert place(world, "ana").expires_at == NOON + timedelta(seconds=most)
