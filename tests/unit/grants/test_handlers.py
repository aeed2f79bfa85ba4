from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.grants.domain.applications import APPLICATIONS, Nominate, Withdraw
from services.grants.domain.awards import AWARDS, Approve, Award
from services.grants.domain.dossiers import DOSSIERS
from services.grants.domain.holds import Hold, Resume
from services.grants.domain.offers import Accept, Cancel
from services.grants.domain.payments import PAYMENTS, Confirm, Fail, Payment
from services.grants.domain.pools import POOLS, Increase, Reduce
from services.grants.domain.rounds import ROUNDS, Announce
from services.grants.domain.tranches import Pay, ReturnMoney
from shared.events.grants import AwardCancelled, AwardPromoted, PoolIncreased, PoolReduced
from shared.model import Command, Do, Refused, Step
from tests.support.spec import NOON
from tests.support.world import World
from tests.unit.grants.scenes import (
    AMOUNT,
    LATE,
    PLAN,
    accepted,
    apply,
    approved,
    award,
    award_of,
    buckets,
    certified,
    enrolled,
    names,
    office,
    paid,
    pool,
    revoked,
    withdrawn,
)

MISTAKE = Cancel(reason_code="proposed-by-mistake")


def test_a_round_needs_its_pool() -> None:
    world = office(0, 0)
    plan = PLAN.model_copy(update={"pool_id": "pool-9"})
    announce = Do(ROUNDS, "round-2", Announce(round_id="round-2", plan=plan))
    assert world.refused(announce) == "pool-unknown"


def test_who_is_not_enrolled_does_not_apply_and_leaves_no_trace() -> None:
    world = office(0, AMOUNT)
    assert world.refused(apply("eva")) == "application-needs-enrolment"
    assert (APPLICATIONS.name, award_of("eva")) not in world.states


def test_she_applies_only_while_the_round_is_open() -> None:
    world = office(1, AMOUNT)
    assert world.refused(apply("ana-0"), at=PLAN.closes_at) == "round-closed"
    assert names(world.run(apply("ana-0"))) == ["ana-0 ApplicationSubmitted"]


def test_an_approval_reserves_and_offers_in_one_intent() -> None:
    world = office(1, AMOUNT + 1)
    expected = ["ana-0 GrantApproved", "pool FundsReserved", "ana-0 AwardOffered"]
    assert names(approved(world, "ana-0")) == expected
    assert buckets(world) == (1, AMOUNT, 0, 0)
    assert world.get(APPLICATIONS, award_of("ana-0")).status == "proposed"


def test_an_exhausted_pool_gives_a_rank() -> None:
    world = office(2, AMOUNT)
    approved(world, "ana-0")
    expected = ["ana-1 GrantApproved", "ana-1 AwardWaitlisted"]
    assert names(approved(world, "ana-1")) == expected
    assert award(world, "ana-1").rank == 1


def test_her_acceptance_commits_in_one_intent() -> None:
    world = office(1, AMOUNT)
    expected = ["ana-0 AwardAccepted", "ana-0 TrancheReady", "pool FundsCommitted"]
    assert names(accepted(world, "ana-0")) == expected
    assert buckets(world) == (0, 0, AMOUNT, 0)
    assert world.refused(Do(APPLICATIONS, award_of("ana-0"), Withdraw())) == "application-awarded"


def test_an_expired_offer_goes_to_the_next_with_its_own_clock() -> None:
    world = office(2, AMOUNT)
    approved(world, "ana-0")
    approved(world, "ana-1")
    expected = [
        "ana-0 AwardOfferExpired",
        "pool FundsReleased",
        "pool FundsReserved",
        "ana-1 AwardPromoted",
    ]
    assert names(world.tick(AWARDS, LATE)) == expected
    assert award(world, "ana-1").expires_at == LATE + timedelta(seconds=60)
    assert world.get(APPLICATIONS, award_of("ana-0")).status == "closed"


def test_a_refilled_pool_promotes_strictly_in_order() -> None:
    world = office(3, AMOUNT)
    approved(world, "ana-0")
    approved(world, "ana-1", 60_000)
    approved(world, "ana-2", 10_000)
    assert names(world.run(Do(POOLS, "pool-1", Increase(amount=59_999)))) == ["pool PoolIncreased"]
    promoted = world.run(Do(POOLS, "pool-1", Increase(amount=10_001)))
    assert [e.person_id for e in promoted if isinstance(e, AwardPromoted)] == ["ana-1", "ana-2"]


def test_a_cancelled_head_of_the_line_lets_the_next_one_pass() -> None:
    world = office(3, AMOUNT + 10_000)
    approved(world, "ana-0")
    approved(world, "ana-1", 60_000)
    approved(world, "ana-2", 10_000)
    cancel = Cancel(reason_code="proposed-by-mistake")
    done = world.run(Do(AWARDS, award_of("ana-1"), cancel))
    expected = ["ana-1 AwardCancelled", "pool FundsReserved", "ana-2 AwardPromoted"]
    assert names(done) == expected


@pytest.mark.parametrize("money", [AMOUNT, 0])
def test_what_was_proposed_by_mistake_is_proposed_again_with_the_money_taken_once(
    money: int,
) -> None:
    world = office(1, money)
    approved(world, "ana-0")
    world.run(Do(AWARDS, award_of("ana-0"), MISTAKE))
    assert buckets(world) == (money, 0, 0, 0)
    assert pool(world).waiting == ()
    assert world.get(APPLICATIONS, award_of("ana-0")).status == "submitted"
    world.run(Do(APPLICATIONS, award_of("ana-0"), Nominate(amount=20_000)), actor="reviewer-1")
    world.run(Do(AWARDS, award_of("ana-0"), Approve()), actor="approver-1")
    world.run(Do(POOLS, "pool-1", Increase(amount=20_000)))
    world.run(Do(AWARDS, award_of("ana-0"), Accept()), actor="ana-0")
    assert buckets(world) == (money, 0, 20_000, 0)


def test_whose_award_was_a_mistake_may_withdraw_and_leaves_with_her_application() -> None:
    world = office(2, 2 * AMOUNT)
    for who in ("ana-0", "ana-1"):
        approved(world, who)
        world.run(Do(AWARDS, award_of(who), MISTAKE))
    withdrew = world.run(Do(APPLICATIONS, award_of("ana-0"), Withdraw()), actor="ana-0")
    assert names(withdrew) == ["ana-0 ApplicationWithdrawn"]
    assert names(world.consume(withdrawn("ana-1"))) == ["ana-1 ApplicationWithdrawn"]
    assert world.get(DOSSIERS, "ana-0").applications == ()


def test_an_award_that_was_cancelled_for_cause_closes_its_application() -> None:
    world = office(1, AMOUNT)
    approved(world, "ana-0")
    world.run(Do(AWARDS, award_of("ana-0"), Cancel(reason_code="documents-false")))
    assert world.get(APPLICATIONS, award_of("ana-0")).status == "closed"
    assert world.get(DOSSIERS, "ana-0").applications == ()


def test_a_certificate_before_the_award_counts_when_she_accepts() -> None:
    world = office(1, AMOUNT)
    world.consume(certified("ana-0"))
    done = names(accepted(world, "ana-0"))
    assert done.count("ana-0 TrancheReady") == 2


def test_a_certificate_before_the_enrolment_counts_too() -> None:
    world = office(0, AMOUNT)
    assert world.consume(certified("ana-0")) == []
    world.consume(enrolled("ana-0"))
    assert names(accepted(world, "ana-0")).count("ana-0 TrancheReady") == 2


def test_a_certificate_after_the_award_makes_its_tranche_ready() -> None:
    world = office(1, AMOUNT)
    accepted(world, "ana-0")
    assert names(world.consume(certified("ana-0"))) == ["ana-0 TrancheReady"]
    assert world.consume(certified("ana-0")) == []


def test_a_confirmed_payment_disburses_in_one_intent() -> None:
    world = office(1, AMOUNT)
    accepted(world, "ana-0")
    assert names(paid(world, "ana-0", 1)) == ["ana-0 PaymentConfirmed", "pool FundsDisbursed"]
    assert buckets(world) == (0, 0, 18_000, 12_000)


def test_a_failed_payment_is_sent_again_and_paid_once() -> None:
    world = office(1, AMOUNT)
    accepted(world, "ana-0")
    pay = Do(AWARDS, award_of("ana-0"), Pay(tranche=1))
    world.run(pay, actor="treasurer-1")
    fail = Do(PAYMENTS, f"{award_of('ana-0')}:1:1", Fail(reason_code="account-closed"))
    assert names(world.run(fail)) == ["ana-0 PaymentFailed", "ana-0 TrancheReady"]
    assert names(world.run(pay, actor="treasurer-1")) == ["ana-0 PaymentSent"]
    confirm = Do(PAYMENTS, f"{award_of('ana-0')}:1:2", Confirm())
    world.run(confirm)
    assert world.run(confirm) == []
    assert buckets(world) == (0, 0, 18_000, 12_000)


@pytest.mark.parametrize("outcome", [Confirm(), Fail(reason_code="account-closed")])
@pytest.mark.parametrize(
    ("actor", "code"),
    [
        ("ana-0", "award-to-oneself"),
        ("reviewer-1", "payment-needs-third-person"),
        ("approver-1", "payment-needs-third-person"),
    ],
)
def test_who_receives_proposed_or_approved_does_not_say_what_came_of_a_payment(
    outcome: Command, actor: str, code: str
) -> None:
    world = office(1, AMOUNT)
    accepted(world, "ana-0")
    world.run(Do(AWARDS, award_of("ana-0"), Pay(tranche=1)), actor="treasurer-1")
    said = Do(PAYMENTS, f"{award_of('ana-0')}:1:1", outcome)
    assert world.refused(said, actor=actor) == code
    assert world.get(PAYMENTS, f"{award_of('ana-0')}:1:1").status == "sent"
    assert world.run(said, actor="treasurer-1")
    assert world.run(said, actor="treasurer-1") == []


def test_the_money_of_a_held_tranche_goes_to_the_next_in_line() -> None:
    world = office(2, AMOUNT)
    accepted(world, "ana-0")
    approved(world, "ana-1", 12_000)
    world.consume(withdrawn("ana-0"))
    back = world.run(Do(AWARDS, award_of("ana-0"), ReturnMoney(tranche=1)))
    assert names(back) == ["pool FundsReturned", "pool FundsReserved", "ana-1 AwardPromoted"]


def test_a_revoked_completion_holds_the_unpaid_tranche() -> None:
    world = office(1, AMOUNT)
    accepted(world, "ana-0")
    world.consume(certified("ana-0"))
    assert names(world.consume(revoked("ana-0"))) == ["ana-0 TrancheHeld"]
    assert names(world.consume(certified("ana-0"))) == ["ana-0 TrancheReady"]


def test_a_revoked_completion_leaves_a_paid_tranche_paid_and_marked() -> None:
    world = office(1, AMOUNT)
    world.consume(certified("ana-0"))
    accepted(world, "ana-0")
    paid(world, "ana-0", 2)
    assert world.consume(revoked("ana-0")) == []
    assert "questioned" in award(world, "ana-0").tranche_states


def test_who_leaves_frees_her_offer_for_the_next() -> None:
    world = office(2, AMOUNT)
    approved(world, "ana-0")
    approved(world, "ana-1")
    done = world.consume(withdrawn("ana-0"))
    assert names(done) == [
        "ana-0 AwardCancelled",
        "ana-0 ApplicationWithdrawn",
        "pool FundsReleased",
        "pool FundsReserved",
        "ana-1 AwardPromoted",
    ]
    assert isinstance(done[0], AwardCancelled)
    assert done[0].reason_code == "enrolment-withdrawn"
    assert world.consume(withdrawn("ana-0")) == []


def test_who_leaves_with_an_accepted_award_has_it_held() -> None:
    world = office(1, AMOUNT)
    accepted(world, "ana-0")
    assert names(world.consume(withdrawn("ana-0"))) == ["ana-0 TrancheHeld", "ana-0 TrancheHeld"]
    assert buckets(world) == (0, 0, AMOUNT, 0)


def test_money_that_she_leaves_behind_twice_reaches_the_next_in_line() -> None:
    """Her first award's money is what her second one waits for."""
    world = office(2, AMOUNT)
    world.run(Do(ROUNDS, "round-2", Announce(round_id="round-2", plan=PLAN)))
    approved(world, "ana-0")
    second = apply("ana-0")
    command = second.command.model_copy(
        update={"application_id": "ana-0:round-2", "round_id": "round-2"}
    )
    world.run(Do(APPLICATIONS, "ana-0:round-2", command))
    world.run(Do(APPLICATIONS, "ana-0:round-2", Nominate(amount=AMOUNT)), actor="reviewer-1")
    world.run(Do(AWARDS, "ana-0:round-2", Approve()), actor="approver-1")
    approved(world, "ana-1")
    assert names(world.consume(withdrawn("ana-0")))[-1] == "ana-1 AwardPromoted"
    assert buckets(world) == (0, AMOUNT, 0, 0)


def step(kind: str, who: str, amount: int) -> list[Step]:
    id_ = award_of(who)
    part = amount % 2 + 1
    payment_id = f"{id_}:{part}:{amount // 2 % 2 + 1}"
    steps: dict[str, Step] = {
        "apply": apply(who, 10_000 + amount),
        "withdraw": Do(APPLICATIONS, id_, Withdraw()),
        "propose": Do(APPLICATIONS, id_, Nominate(amount=10_000 + amount // 2)),
        "approve": Do(AWARDS, id_, Approve()),
        "accept": Do(AWARDS, id_, Accept()),
        "cancel": Do(AWARDS, id_, Cancel(reason_code="documents-false")),
        "mistake": Do(AWARDS, id_, MISTAKE),
        "return": Do(AWARDS, id_, ReturnMoney(tranche=part)),
        "hold": Do(AWARDS, id_, Hold(tranche=part, reason_code="documents-in-doubt")),
        "renounce": Do(AWARDS, id_, Hold(tranche=part, reason_code="renounced")),
        "resume": Do(AWARDS, id_, Resume(tranche=part)),
        "confirm": Do(PAYMENTS, payment_id, Confirm()),
        "fail": Do(PAYMENTS, payment_id, Fail(reason_code="account-closed")),
        "pay": Do(AWARDS, id_, Pay(tranche=part)),
        "increase": Do(POOLS, "pool-1", Increase(amount=amount)),
        "reduce": Do(POOLS, "pool-1", Reduce(amount=amount)),
    }
    return [steps[kind]]


ACTORS = {"propose": "reviewer-1", "approve": "approver-1", "pay": "treasurer-1"}
FACTS: dict[str, Any] = {
    "certify": certified,
    "revoke": revoked,
    "leave": withdrawn,
    "enrol": enrolled,
}
PATH = ("apply", "propose", "approve", "accept", "pay", "confirm")
HOLDS = ("hold", "renounce", "resume", "return")
KINDS = (*PATH, *PATH, *HOLDS, "withdraw", "cancel", "mistake", "fail", "increase", "reduce")
ACTIONS = st.tuples(
    st.sampled_from((*KINDS, *FACTS, "tick")),
    st.sampled_from(["ana-0", "ana-1", "ana-2"]),
    st.integers(1, 40_000),
)


def play(world: World, kind: str, who: str, amount: int, now: Any) -> None:
    if kind == "tick":
        world.tick(AWARDS, now)
    elif kind in FACTS:
        world.consume(FACTS[kind](who), at=now)
    else:
        try:
            world.run(*step(kind, who, amount), at=now, actor=ACTORS.get(kind, "officer-1"))
        except Refused:
            return


def owed(world: World) -> tuple[int, int, int]:
    """What the awards say that the pool must have reserved, committed and disbursed."""
    awards: list[Award] = [s for k, s in world.states.items() if k[0] == AWARDS.name]
    reserved = sum(one.amount for one in awards if one.status == "offered")
    parts = [t for one in awards if one.status == "accepted" for t in one.tranches]
    disbursed = sum(t.amount for t in parts if t.status == "paid")
    committed = sum(t.amount for t in parts if t.status not in ("paid", "returned"))
    return reserved, committed, disbursed


def live_payments(world: World) -> list[Payment]:
    payments: list[Payment] = [s for k, s in world.states.items() if k[0] == PAYMENTS.name]
    return [one for one in payments if one.status != "failed"]


def put_in(world: World) -> int:
    more = sum(event.amount for event in world.published if isinstance(event, PoolIncreased))
    return more - sum(event.amount for event in world.published if isinstance(event, PoolReduced))


@settings(max_examples=100, deadline=None)
@given(st.lists(ACTIONS, min_size=20, max_size=60))
def test_awards_and_their_pool_agree_to_the_centavo_whatever_happens(
    actions: list[tuple[str, str, int]],
) -> None:
    world = office(3, 50_000)
    accepted(world, "ana-0")
    approved(world, "ana-1", 20_000)
    approved(world, "ana-2", 20_000)
    for number, (kind, who, amount) in enumerate(actions):
        play(world, kind, who, amount, NOON + timedelta(seconds=7 * number))
        money, line = pool(world).balances, pool(world).waiting
        assert (money.reserved, money.committed, money.disbursed) == owed(world)
        waiting = {
            s.id for k, s in world.states.items() if k[0] == "awards" and s.status == "waitlisted"
        }
        assert {one.award_id for one in line} == waiting
        assert not line or line[0].amount > money.available
        live = live_payments(world)
        assert len({(one.award_id, one.tranche) for one in live}) == len(live)
        assert money.disbursed == sum(one.amount for one in live if one.status == "confirmed")
        assert pool(world).total == 50_000 + put_in(world)
