from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.grants.domain.applications import (
    APPLICATIONS,
    Application,
    ApplicationStatus,
    Arrived,
    Follow,
    Followed,
    Nominate,
    Nominated,
    Submit,
    Void,
    Withdraw,
)
from services.grants.domain.rounds import (
    ROUNDS,
    Announce,
    Nomination,
    Round,
    RoundAnnounced,
    TellTerms,
    TermsTold,
    TranchePlan,
    takes,
)
from shared.events.grants import ApplicationSubmitted, ApplicationWithdrawn
from shared.model import Forbidden, Refused
from tests.support.spec import NOON, Spec, context
from tests.unit.grants.scenes import PLAN

WHO = {"person_id": "ana-0", "application_id": "ana-0:round-1", "round_id": "round-1"}
SUBMITTED = ApplicationSubmitted(**WHO, amount=30_000)
APPLIED = Spec(APPLICATIONS).given(SUBMITTED, Arrived(at=NOON))
ROUND = Round(id="round-1", **dict(PLAN))


def stands(status: ApplicationStatus) -> Spec:
    applied: Application = APPLIED.state
    return Spec(APPLICATIONS, applied.model_copy(update={"status": status}))


def nomination(amount: int = 20_001) -> Nomination:
    return Nomination(**WHO, amount=amount, proposed_by="officer-1")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"closes_at": PLAN.opens_at}, "round-dates-inverted"),
        ({"max_amount": 10_000, "min_amount": 10_001}, "round-limits-inverted"),
        ({"tranches": (TranchePlan(share=9_999),)}, "round-shares-not-whole"),
    ],
)
def test_a_round_that_makes_no_sense_is_refused(change: dict[str, object], code: str) -> None:
    plan = PLAN.model_copy(update=change)
    Spec(ROUNDS).when(Announce(round_id="round-1", plan=plan)).then_refused(code)


def test_a_round_is_announced_once() -> None:
    announce = Announce(round_id="round-1", plan=PLAN)
    done = Spec(ROUNDS).when(announce).then(RoundAnnounced(round_id="round-1", plan=PLAN))
    done.when(announce).then_nothing()
    other = PLAN.model_copy(update={"max_amount": 90_001})
    done.when(Announce(round_id="round-1", plan=other)).then_refused("round-exists")


def test_the_terms_split_the_amount_to_the_last_centavo() -> None:
    told = Spec(ROUNDS, ROUND).when(TellTerms(nomination=nomination(20_001))).events[0]
    assert isinstance(told, TermsTold)
    assert [part.amount for part in told.terms.parts] == [8_000, 12_001]


SHARES = st.lists(st.integers(100, 3_000), min_size=1, max_size=11).filter(
    lambda shares: sum(shares) <= 9_900
)


@given(SHARES, st.integers(10_000, 90_000))
def test_no_part_of_an_award_is_nothing_and_together_they_are_all(
    shares: list[int], amount: int
) -> None:
    plans = tuple(TranchePlan(share=share) for share in (*shares, 10_000 - sum(shares)))
    spec = Spec(ROUNDS, ROUND.model_copy(update={"tranches": plans}))
    told = spec.when(TellTerms(nomination=nomination(amount))).events[0]
    assert isinstance(told, TermsTold)
    amounts = [part.amount for part in told.terms.parts]
    assert sum(amounts) == amount
    assert min(amounts) >= 1


@pytest.mark.parametrize("amount", [9_999, 90_001])
def test_an_award_out_of_the_limits_is_refused(amount: int) -> None:
    tell = TellTerms(nomination=nomination(amount))
    Spec(ROUNDS, ROUND).when(tell).then_refused("amount-out-of-range")


@pytest.mark.parametrize(
    ("a_round", "at", "amount", "code"),
    [
        (None, NOON, 30_000, "round-unknown"),
        (ROUND, PLAN.opens_at - timedelta(seconds=1), 30_000, "round-not-open-yet"),
        (ROUND, PLAN.closes_at, 30_000, "round-closed"),
        (ROUND, NOON, 90_001, "amount-out-of-range"),
    ],
)
def test_a_round_takes_applications_in_its_time_and_limits(
    a_round: Round | None, at: datetime, amount: int, code: str
) -> None:
    with pytest.raises(Refused) as refusal:
        takes(amount, a_round, context(at))
    assert refusal.value.code == code


def test_a_round_takes_what_is_within_its_limits() -> None:
    takes(30_000, ROUND, context())


def test_she_applies_once() -> None:
    submit = Submit(**WHO, amount=30_000)
    done = Spec(APPLICATIONS).when(submit).then(SUBMITTED, Arrived(at=NOON))
    done.when(submit).then_nothing()
    done.when(Submit(**WHO, amount=30_001)).then_refused("application-exists")


def test_she_may_apply_again_after_she_withdrew() -> None:
    gone = APPLIED.when(Withdraw()).then(ApplicationWithdrawn(**WHO, amount=30_000))
    gone.when(Withdraw()).then_nothing()
    again = Submit(**WHO, amount=40_000)
    done = gone.when(again).then(ApplicationSubmitted(**WHO, amount=40_000), Arrived(at=NOON))
    assert done.state.status == "submitted"


def test_an_awarded_application_is_not_withdrawn_but_does_not_stop_her_leaving() -> None:
    stands("awarded").when(Withdraw()).then_refused("application-awarded")
    stands("awarded").when(Void()).then_nothing()
    stands("proposed").when(Void()).then(ApplicationWithdrawn(**WHO, amount=30_000))


def test_a_closed_application_stays_closed() -> None:
    stands("closed").when(Submit(**WHO, amount=30_000)).then_refused("application-closed")
    stands("closed").when(Withdraw()).then_nothing()


def test_an_application_is_nominated_for_no_more_than_it_asks() -> None:
    APPLIED.when(Nominate(amount=30_001)).then_refused("amount-above-request")
    APPLIED.when(Nominate(amount=20_001)).then(Nominated(nomination=nomination()))


def test_nobody_nominates_herself() -> None:
    done = APPLIED.when(Nominate(amount=20_001), actor="ana-0").then_refused("award-to-oneself")
    assert isinstance(done.refusal, Forbidden)


def test_nobody_nominates_whom_she_acts_for_or_has_applied_for() -> None:
    ask = Nominate(amount=20_001)
    APPLIED.when(ask, actor="pia", on_behalf_of="ana-0").then_refused("award-to-oneself")
    submit = Submit(**WHO, amount=30_000)
    helped = Spec(APPLICATIONS).when(submit, actor="pia", on_behalf_of="ana-0")
    helped.then(SUBMITTED, Arrived(at=NOON, helped_by="pia"))
    done = helped.when(ask, actor="pia").then_refused("helper-may-not-decide")
    assert isinstance(done.refusal, Forbidden)
    kept = nomination().model_copy(update={"helped_by": "pia"})
    helped.when(ask).then(Nominated(nomination=kept))


@pytest.mark.parametrize("status", ["proposed", "awarded", "closed", "withdrawn"])
def test_only_a_submitted_application_is_nominated(status: ApplicationStatus) -> None:
    stands(status).when(Nominate(amount=20_001)).then_refused("application-not-open")


def test_an_application_follows_its_award_until_it_was_withdrawn() -> None:
    APPLIED.when(Follow(status="proposed")).then(Followed(status="proposed"))
    stands("proposed").when(Follow(status="proposed")).then_nothing()
    stands("proposed").when(Follow(status="submitted")).then(Followed(status="submitted"))
    stands("withdrawn").when(Follow(status="closed")).then_nothing()
    Spec(APPLICATIONS).when(Follow(status="closed")).then_nothing()


def test_an_unknown_application_is_refused() -> None:
    Spec(APPLICATIONS).when(Withdraw()).then_refused("application-unknown")
