"""Calls open and close by their clock; persons and businesses are told in codes."""

from datetime import timedelta

import pytest

from services.enrollment.domain import businesses, persons
from services.enrollment.domain.businesses import BUSINESSES, Business, BusinessWritten
from services.enrollment.domain.calls import CALLS, Call, CallWritten, Close, Publish, is_open
from services.enrollment.domain.persons import PERSONS, Person, PersonWritten
from shared.events.enrollment import (
    BusinessRegistered,
    CallClosed,
    CallPublished,
    PersonRegistered,
)
from shared.model import Refused, Tick
from tests.support.spec import NOON, Spec, context
from tests.unit.enrollment.scenes import CLOSES, FACETS, PROFILE, TERMS

WINDOW = {"call_id": "call-1", "opens_at": NOON, "rules_version": "2026-1"}
WRITTEN = CallWritten(call=Call(id="call-1", **dict(TERMS)))
PUBLISHED = Spec(CALLS).given(WRITTEN)
PUBLISH = Publish(call_id="call-1", terms=TERMS)


def test_a_call_is_published_once_with_its_rules_and_its_clock() -> None:
    public = CallPublished(**WINDOW, closes_at=CLOSES)
    published = Spec(CALLS).when(PUBLISH).then(WRITTEN, public).then_due(CLOSES)
    published.when(PUBLISH).then_nothing()
    other = TERMS.model_copy(update={"title": "Convocatoria 2027"})
    published.when(Publish(call_id="call-1", terms=other)).then_refused("call-exists")
    published.when(Close()).when(PUBLISH).then_refused("call-exists")


def test_a_call_closes_by_its_clock() -> None:
    PUBLISHED.when(Tick(), at=NOON).then_nothing()
    closed = PUBLISHED.when(Tick(), at=CLOSES + timedelta(seconds=3))
    closed.then(CallClosed(**WINDOW, closes_at=CLOSES)).then_due(None)
    closed.when(Tick(), at=CLOSES).then_nothing()


def test_an_officer_closes_a_call_early_and_once() -> None:
    early = NOON + timedelta(days=1)
    closed = PUBLISHED.when(Close(), at=early).then(CallClosed(**WINDOW, closes_at=early))
    closed.then_due(None).when(Close()).then_nothing()
    Spec(CALLS).when(Close()).then_refused("call-unknown")


@pytest.mark.parametrize("closes_at", [NOON, NOON - timedelta(days=1)])
def test_a_call_that_never_opens_is_refused(closes_at: object) -> None:
    terms = TERMS.model_copy(update={"closes_at": closes_at})
    Spec(CALLS).when(Publish(call_id="call-1", terms=terms)).then_refused("call-window-empty")


def test_a_call_names_rules_that_exist() -> None:
    terms = TERMS.model_copy(update={"rules_version": "1999-1"})
    step = Publish(call_id="call-1", terms=terms)
    Spec(CALLS).when(step).then_refused("rules-version-unknown")


@pytest.mark.parametrize(
    ("offset", "code"),
    [(-1, "call-not-open-yet"), (30 * 24 * 3600, "call-closed")],
)
def test_a_call_is_open_from_its_opening_until_its_closing(offset: int, code: str) -> None:
    call = PUBLISHED.state
    is_open(call, context(NOON))
    is_open(call, context(CLOSES - timedelta(milliseconds=1)))
    with pytest.raises(Refused, match=code):
        is_open(call, context(NOON + timedelta(seconds=offset)))


def test_a_call_that_was_closed_early_or_never_was_is_not_open() -> None:
    closed = PUBLISHED.when(Close()).state
    with pytest.raises(Refused, match="call-closed"):
        is_open(closed, context(NOON))
    with pytest.raises(Refused, match="call-unknown"):
        is_open(None, context(NOON))


def test_a_person_is_registered_once_and_what_she_declares_of_herself_stays_here() -> None:
    register = persons.Register(person_id="ana", facets=FACETS)
    public = PersonRegistered(
        person_id="ana", state="07", municipality="07101", rural_class="rural"
    )
    written = PersonWritten(person=Person(id="ana", **dict(FACETS)))
    registered = Spec(PERSONS).when(register).then(written, public)
    registered.when(register).then_nothing()
    other = FACETS.model_copy(update={"rural_class": "urban"})
    registered.when(persons.Register(person_id="ana", facets=other)).then_refused("person-exists")


def test_a_municipality_belongs_to_its_state() -> None:
    wrong = FACETS.model_copy(update={"municipality": "20067"})
    step = persons.Register(person_id="ana", facets=wrong)
    Spec(PERSONS).when(step).then_refused("municipality-not-in-state")


def test_a_business_is_registered_once_and_who_owns_it_stays_here() -> None:
    register = businesses.Register(business_id="shop", person_id="ana", profile=PROFILE)
    business = Business(id="shop", person_id="ana", **dict(PROFILE))
    public = BusinessRegistered(
        person_id="ana", business_id="shop", sector="311", size_class="micro"
    )
    registered = Spec(BUSINESSES).when(register)
    registered.then(BusinessWritten(business=business), public).when(register).then_nothing()
    other = PROFILE.model_copy(update={"sector": "312"})
    again = businesses.Register(business_id="shop", person_id="ana", profile=other)
    registered.when(again).then_refused("business-exists")


@pytest.mark.parametrize("person_id", ["eva", "ana"])
def test_only_her_own_business_is_known_to_her(person_id: str) -> None:
    business = Business(id="shop", person_id="ana", **dict(PROFILE))
    check = businesses.is_hers(person_id)
    if person_id == "ana":
        check(business, context())
    else:
        with pytest.raises(Refused, match="business-unknown"):
            check(business, context())
