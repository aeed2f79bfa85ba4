"""What stops a part of an accepted award, and what lets it go on."""

import pytest

from services.grants.domain.awards import AWARDS
from services.grants.domain.holds import Hold, Resume
from services.grants.domain.tranches import (
    ConditionMet,
    ConditionUnmet,
    Credit,
    MarkFailed,
    Pay,
    ReturnMoney,
    Uncredit,
)
from shared.events.enrollment import ApplicantEnrolled
from shared.events.grants import TrancheResumed
from shared.model import Do, Forbidden
from tests.support.spec import Spec
from tests.support.world import World
from tests.unit.grants.scenes import (
    AMOUNT,
    accepted,
    approved,
    award,
    award_of,
    buckets,
    certified,
    names,
    office,
    withdrawn,
)
from tests.unit.grants.test_awards import (
    ACCEPTED,
    BOTH_WITHDRAW,
    CREDITED,
    ID,
    OFFERED,
    PAID,
    RETURNED,
    SENT,
    held,
    ready,
)

DOUBT = Hold(tranche=2, reason_code="documents-in-doubt")
RENOUNCE = Hold(tranche=2, reason_code="renounced")
RESUME = Resume(tranche=2)
RESUMED = TrancheResumed(person_id="ana-0", award_id=ID, tranche=2, amount=60)
CERTIFICATE = Credit(course_ids=("course-1",))
LOST = Uncredit(course_id="course-1")


@pytest.mark.parametrize("spec", [ACCEPTED, CREDITED])
@pytest.mark.parametrize("command", [DOUBT, RENOUNCE])
def test_what_waits_or_could_be_paid_is_held_once_and_not_paid(spec: Spec, command: Hold) -> None:
    done = spec.when(command).then(held(2, command.reason_code))
    done.when(command).then_nothing()
    done.when(Pay(tranche=2), actor="treasurer-1").then_refused("tranche-on-hold")


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        (OFFERED, "award-not-accepted"),
        (SENT, "tranche-payment-sent"),
        (PAID, "tranche-already-paid"),
        (RETURNED, "tranche-money-returned"),
        (ACCEPTED.given(held(2, "account-unusable")), "tranche-on-hold"),
        (ACCEPTED.given(held(2, "enrolment-withdrawn")), "tranche-on-hold"),
    ],
)
def test_what_is_on_its_way_or_at_its_end_or_stopped_already_is_not_held(
    spec: Spec, code: str
) -> None:
    spec.when(DOUBT).then_refused(code)
    spec.when(RENOUNCE, actor="ana-0").then_refused(code)


def test_a_tranche_that_is_not_there_is_neither_held_nor_resumed() -> None:
    ACCEPTED.when(Hold(tranche=3, reason_code="renounced")).then_refused("tranche-unknown")
    ACCEPTED.when(Resume(tranche=3)).then_refused("tranche-unknown")


@pytest.mark.parametrize(
    ("actor", "code"), [("ana-0", "award-to-oneself"), ("pia", "helper-may-not-decide")]
)
def test_who_has_a_part_in_it_decides_on_no_hold_but_renounces(actor: str, code: str) -> None:
    stopped = ACCEPTED.given(held(2, "documents-in-doubt"))
    for refused in (ACCEPTED.when(DOUBT, actor=actor), stopped.when(RESUME, actor=actor)):
        refused.then_refused(code)
        assert isinstance(refused.refusal, Forbidden)
    ACCEPTED.when(RENOUNCE, actor=actor, on_behalf_of="ana-0").then(held(2, "renounced"))


def test_a_hold_of_the_desk_outlasts_a_certificate_that_comes_and_goes() -> None:
    stopped = ACCEPTED.when(DOUBT).then(held(2, "documents-in-doubt"))
    met = stopped.when(CERTIFICATE).then(ConditionMet(tranche=2))
    met.when(RESUME).then(RESUMED, ready(2)).when(RESUME).then_nothing()
    waits = met.when(LOST).then(ConditionUnmet(tranche=2)).when(RESUME).then(RESUMED)
    assert (waits.state.tranches[1].status, waits.state.tranches[1].hold) == ("planned", None)
    waits.when(CERTIFICATE).then(ConditionMet(tranche=2), ready(2))


def test_a_hold_that_a_certificate_would_end_gives_way_to_one_of_the_desk() -> None:
    revoked = CREDITED.given(ConditionUnmet(tranche=2), held(2, "completion-revoked"))
    stopped = revoked.when(DOUBT).then(held(2, "documents-in-doubt"))
    stopped.when(CERTIFICATE).then(ConditionMet(tranche=2))
    revoked.when(RESUME).then_refused("tranche-not-ready")


def test_money_that_went_back_does_not_come_again() -> None:
    RETURNED.when(RESUME).then_refused("tranche-money-returned")


def test_who_is_back_is_held_again_if_she_leaves_again() -> None:
    gone = ACCEPTED.when(BOTH_WITHDRAW)
    back = gone.when(RESUME).then(RESUMED)
    assert not back.state.stopped
    again = back.when(BOTH_WITHDRAW)
    assert again.events[1:] == [held(2, "enrolment-withdrawn")]


def test_leaving_the_programme_keeps_the_reason_of_the_desk() -> None:
    gone = ACCEPTED.when(DOUBT).when(BOTH_WITHDRAW)
    assert gone.events[1:] == [held(1, "enrolment-withdrawn")]
    assert gone.state.tranches[1].hold == "documents-in-doubt"


def test_a_payment_that_fails_once_she_is_back_can_be_sent_again() -> None:
    sent = ACCEPTED.given(ConditionMet(tranche=2), ready(2)).when(BOTH_WITHDRAW)
    resumed = sent.when(RESUME).when(Pay(tranche=2), actor="treasurer-1")
    resumed.when(MarkFailed(payment_id=f"{ID}:2:1")).then(ready(2))


def hers(world: World, command: Hold | Resume | ReturnMoney) -> list[str]:
    return names(world.run(Do(AWARDS, award_of("ana-0"), command)))


@pytest.mark.parametrize("command", [DOUBT, RENOUNCE])
def test_money_that_waits_for_a_course_in_vain_reaches_the_next_in_line(command: Hold) -> None:
    world = office(2, AMOUNT)
    accepted(world, "ana-0")
    approved(world, "ana-1", 18_000)
    assert hers(world, command) == ["ana-0 TrancheHeld"]
    expected = ["pool FundsReturned", "pool FundsReserved", "ana-1 AwardPromoted"]
    assert hers(world, ReturnMoney(tranche=2)) == expected
    assert buckets(world) == (0, 18_000, 12_000, 0)


def test_only_who_is_enrolled_again_has_her_money_go_on() -> None:
    world = office(1, AMOUNT)
    accepted(world, "ana-0")
    world.consume(certified("ana-0"))
    world.consume(withdrawn("ana-0"))
    resume = Do(AWARDS, award_of("ana-0"), RESUME)
    assert world.refused(resume) == "tranche-needs-enrolment"
    call = {"enrolment_id": "ana-0:call-2", "call_id": "call-2"}
    world.consume(ApplicantEnrolled(person_id="ana-0", **call))
    assert names(world.run(resume)) == ["ana-0 TrancheResumed", "ana-0 TrancheReady"]
    assert award(world, "ana-0").tranche_states == ("held", "ready")
