from datetime import timedelta

import pytest

from services.grants.domain.award_facts import (
    ApprovalSigned,
    AwardStopped,
    HoldEnded,
    MoneyBound,
    ProposalKept,
    WaitEnded,
)
from services.grants.domain.awards import AWARDS, Approve, Propose
from services.grants.domain.offers import Accept, Cancel, Grant, Queue, Retract
from services.grants.domain.rounds import Nomination, Part, Terms
from services.grants.domain.tranches import (
    ConditionMet,
    ConditionUnmet,
    Credit,
    MarkFailed,
    MarkPaid,
    Pay,
    PaymentOrdered,
    ReturnMoney,
    TranchePaid,
    TrancheReturned,
    Uncredit,
)
from shared.events.grants import (
    AwardAccepted,
    AwardCancelled,
    AwardOffered,
    AwardOfferExpired,
    AwardPromoted,
    AwardProposed,
    AwardWaitlisted,
    GrantApproved,
    TrancheHeld,
    TrancheReady,
)
from shared.model import Command, Forbidden, Tick
from tests.support.spec import NOON, Spec
from tests.unit.grants.scenes import LATE

ID = "ana-0:round-1"
NOMINATION = Nomination(
    application_id=ID,
    person_id="ana-0",
    round_id="round-1",
    amount=100,
    proposed_by="reviewer-1",
    helped_by="pia",
)
TERMS = Terms(
    pool_id="pool-1",
    offer_seconds=60,
    parts=(
        Part(number=1, amount=40),
        Part(number=2, amount=60, course_id="course-1"),
    ),
)
IDS = {"person_id": "ana-0", "award_id": ID, "round_id": "round-1"}
PROPOSE = Propose(nomination=NOMINATION, terms=TERMS)
POOLED = {"person_id": "ana-0", "award_id": ID, "application_id": ID, "pool_id": "pool-1"}
HOLD_ENDED = HoldEnded(pool_id="pool-1", award_id=ID, amount=100)
BOUND = MoneyBound(pool_id="pool-1", award_id=ID, person_id="ana-0", amount=100)
BOTH_WITHDRAW = Retract(reason_code="enrolment-withdrawn")
MISTAKE = Cancel(reason_code="proposed-by-mistake")


def ready(tranche: int) -> TrancheReady:
    return TrancheReady(
        person_id="ana-0", award_id=ID, tranche=tranche, amount=40 if tranche == 1 else 60
    )


def held(tranche: int, reason: str) -> TrancheHeld:
    amount = 40 if tranche == 1 else 60
    who = {"person_id": "ana-0", "award_id": ID}
    return TrancheHeld(**who, tranche=tranche, amount=amount, reason_code=reason)


def ordered(tranche: int, attempt: int = 1) -> PaymentOrdered:
    return PaymentOrdered(
        payment_id=f"{ID}:{tranche}:{attempt}",
        award_id=ID,
        person_id="ana-0",
        tranche=tranche,
        amount=40 if tranche == 1 else 60,
    )


def cancelled(reason: str) -> AwardCancelled:
    return AwardCancelled(**IDS, amount=100, reason_code=reason)


PROPOSED = Spec(AWARDS).given(ProposalKept(nomination=NOMINATION, terms=TERMS))
APPROVED = PROPOSED.given(ApprovalSigned(approved_by="approver-1"))
WAITLISTED = APPROVED.given(AwardWaitlisted(**IDS, amount=100, rank=3))
OFFERED = APPROVED.given(AwardOffered(**IDS, amount=100, expires_at=LATE))
EXPIRED = OFFERED.given(AwardOfferExpired(**IDS, amount=100))
CANCELLED = PROPOSED.given(cancelled("proposed-by-mistake"))
ACCEPTED = OFFERED.given(AwardAccepted(**IDS, amount=100), BOUND, ready(1))
CREDITED = ACCEPTED.given(ConditionMet(tranche=2), ready(2))
SENT = CREDITED.given(ordered(2))
PAID = SENT.given(TranchePaid(pool_id="pool-1", award_id=ID, tranche=2, amount=60))


def test_an_award_is_proposed_once_and_again_only_after_a_cancellation() -> None:
    proposed = AwardProposed(**POOLED, amount=100)
    kept = ProposalKept(nomination=NOMINATION, terms=TERMS)
    Spec(AWARDS).when(PROPOSE).then(kept, proposed).when(PROPOSE).then_refused("award-exists")
    again = CANCELLED.when(PROPOSE).then(kept, proposed)
    assert (again.state.status, again.state.reason_code) == ("proposed", None)


def test_another_person_approves() -> None:
    signed = ApprovalSigned(approved_by="approver-1")
    grant = GrantApproved(**POOLED, amount=100)
    done = PROPOSED.when(Approve(), actor="approver-1").then(signed, grant)
    done.when(Approve(), actor="approver-1").then_nothing()
    done.when(Approve(), actor="approver-2").then_refused("award-already-approved")


@pytest.mark.parametrize(
    ("actor", "code"),
    [
        ("reviewer-1", "approval-needs-second-person"),
        ("ana-0", "award-to-oneself"),
        ("pia", "helper-may-not-decide"),
    ],
)
def test_who_has_a_part_in_it_does_not_approve(actor: str, code: str) -> None:
    done = PROPOSED.when(Approve(), actor=actor).then_refused(code)
    assert isinstance(done.refusal, Forbidden)


def test_who_acts_for_her_neither_approves_nor_pays() -> None:
    for_her = {"actor": "eva", "on_behalf_of": "ana-0"}
    PROPOSED.when(Approve(), **for_her).then_refused("award-to-oneself")
    CREDITED.when(Pay(tranche=2), **for_her).then_refused("award-to-oneself")


def test_a_cancelled_award_is_not_approved() -> None:
    CANCELLED.when(Approve(), actor="approver-1").then_refused("award-was-cancelled")


def test_the_answer_of_the_pool_makes_an_offer_or_a_rank() -> None:
    APPROVED.when(Grant()).then(AwardOffered(**IDS, amount=100, expires_at=LATE))
    APPROVED.when(Queue(rank=3)).then(AwardWaitlisted(**IDS, amount=100, rank=3))
    WAITLISTED.when(Grant()).then(AwardPromoted(**IDS, amount=100, expires_at=LATE))


def test_money_for_an_award_that_ended_goes_straight_back() -> None:
    CANCELLED.when(Grant()).then(HOLD_ENDED)


def test_she_accepts_in_time_and_what_waits_for_nothing_is_ready() -> None:
    done = OFFERED.when(Accept()).then(AwardAccepted(**IDS, amount=100), BOUND, ready(1))
    done.then_due(None).when(Accept()).then_nothing()
    assert done.state.tranche_states == ("planned", "ready")


def test_an_accepted_award_of_which_nothing_is_due_is_found_by_what_it_waits_for() -> None:
    parts = tuple(part.model_copy(update={"course_id": "course-1"}) for part in TERMS.parts)
    kept = ProposalKept(nomination=NOMINATION, terms=TERMS.model_copy(update={"parts": parts}))
    offered = Spec(AWARDS).given(kept, AwardOffered(**IDS, amount=100, expires_at=LATE))
    assert offered.state.tranche_states == ()
    done = offered.when(Accept()).then(AwardAccepted(**IDS, amount=100), BOUND)
    assert done.state.tranche_states == ("planned",)


def test_an_offer_accepted_too_late_is_refused() -> None:
    OFFERED.when(Accept(), at=LATE).then_refused("award-offer-expired")
    EXPIRED.when(Accept()).then_refused("award-offer-expired")


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        (PROPOSED, "award-not-offered"),
        (WAITLISTED, "award-not-offered"),
        (CANCELLED, "award-was-cancelled"),
        (Spec(AWARDS), "award-unknown"),
    ],
)
def test_what_is_not_offered_is_not_accepted(spec: Spec, code: str) -> None:
    spec.when(Accept()).then_refused(code)


def test_an_offer_expires_when_its_clock_runs_out() -> None:
    OFFERED.then_due(LATE).when(Tick(), at=LATE - timedelta(milliseconds=1)).then_nothing()
    expired = AwardOfferExpired(**IDS, amount=100)
    OFFERED.when(Tick(), at=LATE).then(expired, HOLD_ENDED).then_due(None)
    EXPIRED.when(Tick(), at=LATE).then_nothing()


@pytest.mark.parametrize(
    "command", [MISTAKE, Retract(reason_code="application-withdrawn"), BOTH_WITHDRAW]
)
def test_an_award_that_ends_gives_back_what_it_had(command: Cancel | Retract) -> None:
    ended = cancelled(command.reason_code)
    PROPOSED.when(command).then(ended)
    OFFERED.when(command).then(ended, HOLD_ENDED)
    done = WAITLISTED.when(command).then(ended, WaitEnded(pool_id="pool-1", award_id=ID))
    done.when(command).then_nothing()
    assert done.state.rank is None


def test_staff_cannot_cancel_what_she_accepted() -> None:
    ACCEPTED.when(MISTAKE).then_refused("award-already-accepted")


def test_what_never_was_an_award_has_nothing_to_retract() -> None:
    Spec(AWARDS).when(BOTH_WITHDRAW).then_nothing()
    Spec(AWARDS).when(MISTAKE).then_refused("award-unknown")


def test_a_certificate_makes_its_tranche_ready_once() -> None:
    credit = Credit(course_ids=("course-1", "course-2"))
    ACCEPTED.when(credit).then(ConditionMet(tranche=2), ready(2)).when(credit).then_nothing()
    ACCEPTED.when(Credit(course_ids=("course-9",))).then_nothing()
    OFFERED.when(credit).then_nothing()


def test_a_revoked_completion_holds_what_is_not_paid_and_a_new_one_lets_it_go() -> None:
    lost = Uncredit(course_id="course-1")
    stopped = held(2, "completion-revoked")
    done = CREDITED.when(lost).then(ConditionUnmet(tranche=2), stopped)
    done.when(lost).then_nothing()
    back = done.when(Credit(course_ids=("course-1",))).then(ConditionMet(tranche=2), ready(2))
    assert back.state.tranches[1].hold is None


def test_a_revoked_completion_marks_what_was_paid() -> None:
    done = PAID.when(Uncredit(course_id="course-1")).then(ConditionUnmet(tranche=2))
    assert done.state.tranche_states == ("paid", "questioned", "ready")
    back = done.when(Credit(course_ids=("course-1",))).then(ConditionMet(tranche=2))
    assert back.state.tranche_states == ("paid", "ready")


def test_a_third_person_pays_once() -> None:
    done = CREDITED.when(Pay(tranche=2), actor="treasurer-1").then(ordered(2))
    done.when(Pay(tranche=2), actor="treasurer-2").then_nothing()
    PAID.when(Pay(tranche=2), actor="treasurer-1").then_refused("tranche-already-paid")


@pytest.mark.parametrize(
    ("actor", "code"),
    [
        ("reviewer-1", "payment-needs-third-person"),
        ("approver-1", "payment-needs-third-person"),
        ("ana-0", "award-to-oneself"),
        ("pia", "helper-may-not-decide"),
    ],
)
def test_who_proposed_approved_or_receives_does_not_pay(actor: str, code: str) -> None:
    done = CREDITED.when(Pay(tranche=2), actor=actor).then_refused(code)
    assert isinstance(done.refusal, Forbidden)


@pytest.mark.parametrize(
    ("actor", "code"), [("ana-0", "award-to-oneself"), ("pia", "helper-may-not-decide")]
)
def test_who_has_a_part_in_it_neither_cancels_nor_returns_money(actor: str, code: str) -> None:
    held_back = ACCEPTED.given(held(2, "enrolment-withdrawn"))
    for spec, command in ((OFFERED, MISTAKE), (held_back, ReturnMoney(tranche=2))):
        done = spec.when(command, actor=actor).then_refused(code)
        assert isinstance(done.refusal, Forbidden)


RETURNED = ACCEPTED.given(held(2, "enrolment-withdrawn")).when(ReturnMoney(tranche=2))


@pytest.mark.parametrize(
    ("spec", "command", "code"),
    [
        (ACCEPTED, Pay(tranche=2), "tranche-not-ready"),
        (ACCEPTED, Pay(tranche=3), "tranche-unknown"),
        (OFFERED, Pay(tranche=1), "award-not-accepted"),
        (CREDITED.given(held(2, "completion-revoked")), Pay(tranche=2), "tranche-on-hold"),
        (RETURNED, Pay(tranche=2), "tranche-money-returned"),
        (CREDITED, ReturnMoney(tranche=2), "tranche-not-held"),
    ],
)
def test_a_tranche_is_not_paid_or_returned_out_of_order(
    spec: Spec, command: Command, code: str
) -> None:
    spec.when(command, actor="treasurer-1").then_refused(code)


def test_the_money_of_a_held_tranche_is_returned_once() -> None:
    back = TrancheReturned(pool_id="pool-1", award_id=ID, tranche=2, amount=60)
    RETURNED.then(back).when(ReturnMoney(tranche=2)).then_nothing()


def test_a_failed_payment_can_be_sent_again_under_another_number() -> None:
    failed = MarkFailed(payment_id=f"{ID}:2:1")
    done = SENT.when(failed).then(ready(2))
    done.when(failed).then_nothing()
    second = done.when(Pay(tranche=2), actor="treasurer-1").then(ordered(2, attempt=2))
    second.when(MarkPaid(payment_id=f"{ID}:2:1")).then_nothing()


def test_a_payment_that_fails_after_the_completion_was_revoked_is_held() -> None:
    lost = SENT.when(Uncredit(course_id="course-1")).then(ConditionUnmet(tranche=2))
    lost.when(MarkFailed(payment_id=f"{ID}:2:1")).then(held(2, "completion-revoked"))


def test_leaving_the_programme_holds_every_unpaid_tranche_for_good() -> None:
    stopped = [held(1, "enrolment-withdrawn"), held(2, "enrolment-withdrawn")]
    done = ACCEPTED.when(BOTH_WITHDRAW).then(AwardStopped(), *stopped)
    done.when(BOTH_WITHDRAW).then_nothing()
    done.when(Credit(course_ids=("course-1",))).then(ConditionMet(tranche=2))


def test_a_payment_under_way_when_she_left_is_held_if_it_fails() -> None:
    stopped = SENT.when(BOTH_WITHDRAW).then(AwardStopped(), held(1, "enrolment-withdrawn"))
    stopped.when(MarkFailed(payment_id=f"{ID}:2:1")).then(held(2, "enrolment-withdrawn"))
    paid = TranchePaid(pool_id="pool-1", award_id=ID, tranche=2, amount=60)
    stopped.when(MarkPaid(payment_id=f"{ID}:2:1")).then(paid)


def test_a_tick_says_nothing_before_there_is_an_offer() -> None:
    WAITLISTED.then_due(None).when(Tick(), at=NOON).then_nothing()
