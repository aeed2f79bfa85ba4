"""An enrolment from draft to decision, alone and with all that a submission asks."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from services.enrollment.domain.calls import CALLS, Close
from services.enrollment.domain.enrolments import (
    ENROLMENTS,
    AdviceKept,
    Answer,
    Begin,
    DecisionKept,
    Decline,
    Draft,
    DraftDiscarded,
    DraftKept,
    Edit,
    Enrol,
    Evaluate,
    Submit,
    Withdraw,
)
from services.enrollment.domain.facts import Facts
from services.enrollment.domain.rules import evaluate
from shared.events.enrollment import (
    ApplicantEnrolled,
    EligibilityEvaluated,
    EnrolmentDeclined,
    EnrolmentSubmitted,
    EnrolmentWithdrawn,
)
from shared.model import Command, Do, Event, Forbidden
from tests.support.spec import NOON, Spec
from tests.unit.enrollment.scenes import ALL_MET, CLOSES, FACETS, SUBMIT, TERMS, begin, office

WHO = {"person_id": "ana", "enrolment_id": "ana:call-1", "call_id": "call-1"}
EMPTY, FILLED = Draft(), Draft(answers=(Answer(question="device", choice="phone"),))
BEGIN = Begin(**WHO, draft=EMPTY)
LEAVE = Withdraw(reason_code="no-time")

DRAFT = Spec(ENROLMENTS).given(DraftKept(**WHO, draft=EMPTY))
SUBMITTED = DRAFT.given(EnrolmentSubmitted(**WHO))
EVALUATED = SUBMITTED.given(AdviceKept(evaluation=evaluate("2026-1", ALL_MET)))
DOUBTED = SUBMITTED.given(AdviceKept(evaluation=evaluate("2026-1", Facts(rules_version="2026-1"))))
ENROLLED = EVALUATED.given(ApplicantEnrolled(**WHO))
DECLINED = EVALUATED.given(EnrolmentDeclined(**WHO, reason_codes=("size-allowed",)))
WITHDRAWN = ENROLLED.given(EnrolmentWithdrawn(**WHO, reason_code="no-time"))
DISCARDED = DRAFT.given(DraftDiscarded(reason_code="no-time"))


def names(events: Sequence[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_a_draft_is_begun_once_and_edited_until_it_is_submitted() -> None:
    draft = Spec(ENROLMENTS).when(BEGIN).then(DraftKept(**WHO, draft=EMPTY))
    draft.when(BEGIN).then_nothing()
    edited = draft.when(Edit(draft=FILLED)).then(DraftKept(**WHO, draft=FILLED))
    edited.when(Edit(draft=FILLED)).then_nothing()
    edited.when(BEGIN).then_refused("enrolment-exists")
    SUBMITTED.when(Edit(draft=FILLED)).then_refused("enrolment-already-submitted")


def test_one_live_enrolment_a_woman_and_call() -> None:
    other = Begin(**WHO, draft=FILLED)
    for scene in (SUBMITTED, EVALUATED, ENROLLED, DECLINED, WITHDRAWN):
        scene.when(other).then_refused("enrolment-exists")


def test_a_discarded_draft_may_be_begun_anew_and_nobody_heard_of_it() -> None:
    discarded = DRAFT.when(LEAVE).then(DraftDiscarded(reason_code="no-time"))
    discarded.when(LEAVE).then_nothing()
    again = discarded.when(BEGIN).then(DraftKept(**WHO, draft=EMPTY))
    assert (again.state.status, again.state.reason_codes) == ("draft", ())


@pytest.mark.parametrize("command", [Edit(draft=FILLED), Submit()])
def test_a_discarded_draft_is_gone(command: Command) -> None:
    DISCARDED.when(command).then_refused("enrolment-unknown")


@pytest.mark.parametrize("command", [Edit(draft=FILLED), Submit(), Enrol(), LEAVE])
def test_an_enrolment_that_nobody_began_is_unknown(command: Command) -> None:
    Spec(ENROLMENTS).when(command).then_refused("enrolment-unknown")


def test_submitting_twice_is_nothing_and_after_the_end_refused() -> None:
    EVALUATED.when(Submit()).then_nothing()
    ENROLLED.when(Submit()).then_nothing()
    DECLINED.when(Submit()).then_refused("enrolment-declined")
    WITHDRAWN.when(Submit()).then_refused("enrolment-withdrawn")


def test_an_enrolment_is_evaluated_once() -> None:
    evaluated = SUBMITTED.when(Evaluate(facts=ALL_MET))
    assert names(evaluated.events) == ["AdviceKept", "EligibilityEvaluated"]
    evaluated.when(Evaluate(facts=ALL_MET)).then_nothing()


def test_an_officer_enrols_and_is_on_record() -> None:
    kept = DecisionKept(decided_by="officer-1", reason_codes=())
    enrolled = EVALUATED.when(Enrol()).then(kept, ApplicantEnrolled(**WHO))
    assert enrolled.state.decided_by == "officer-1"
    enrolled.when(Enrol()).then_nothing()


def test_enrolling_against_the_advice_needs_a_reason() -> None:
    DOUBTED.when(Enrol()).then_refused("decision-reason-missing")
    seen = DOUBTED.when(Enrol(reason_codes=("evidence-seen",)))
    assert names(seen.events) == ["DecisionKept", "ApplicantEnrolled"]


def test_declining_needs_a_reason_that_she_can_read() -> None:
    EVALUATED.when(Decline(reason_codes=())).then_refused("decision-reason-missing")
    declined = DOUBTED.when(Decline(reason_codes=("evidence-missing",)))
    declined.then(
        DecisionKept(decided_by="officer-1", reason_codes=("evidence-missing",)),
        EnrolmentDeclined(**WHO, reason_codes=("evidence-missing",)),
    )
    declined.when(Decline(reason_codes=("evidence-missing",))).then_nothing()


@pytest.mark.parametrize("command", [Enrol(), Decline(reason_codes=("size-allowed",))])
def test_nobody_decides_on_her_own_enrolment(command: Command) -> None:
    EVALUATED.when(command, actor="ana").then_refused("own-enrolment")


@pytest.mark.parametrize("command", [Enrol(), Decline(reason_codes=("size-allowed",))])
def test_nobody_decides_while_acting_for_her_nor_after_submitting_for_her(command: Command) -> None:
    EVALUATED.when(command, actor="pia", on_behalf_of="ana").then_refused("own-enrolment")
    helped = DRAFT.when(Submit(), actor="pia", on_behalf_of="ana")
    judged = helped.given(AdviceKept(evaluation=evaluate("2026-1", ALL_MET)))
    refused = judged.when(command, actor="pia").then_refused("helper-may-not-decide")
    assert isinstance(refused.refusal, Forbidden)
    assert judged.when(command, actor="officer-1").events


def test_who_submits_her_own_enrolment_has_no_helper() -> None:
    assert DRAFT.when(Submit(), actor="ana").state.helped_by is None


@pytest.mark.parametrize("scene", [SUBMITTED, DECLINED, WITHDRAWN])
def test_only_what_was_evaluated_is_decided(scene: Spec) -> None:
    scene.when(Enrol()).then_refused("enrolment-not-evaluated")


@pytest.mark.parametrize("scene", [DRAFT, DISCARDED])
@pytest.mark.parametrize("actor", ["officer-1", "ana"])
def test_what_was_not_handed_in_is_unknown_to_who_decides(scene: Spec, actor: str) -> None:
    scene.when(Enrol(), actor=actor).then_refused("enrolment-unknown")


def test_a_decision_is_not_turned_around() -> None:
    ENROLLED.when(Decline(reason_codes=("size-allowed",))).then_refused("enrolment-not-evaluated")


@pytest.mark.parametrize("scene", [SUBMITTED, EVALUATED, ENROLLED])
def test_she_may_leave_until_she_was_declined(scene: Spec) -> None:
    left = scene.when(LEAVE).then(EnrolmentWithdrawn(**WHO, reason_code="no-time"))
    left.when(LEAVE).then_nothing()
    DECLINED.when(LEAVE).then_refused("enrolment-declined")


def test_why_she_was_taken_in_is_kept_when_she_leaves() -> None:
    taken = DOUBTED.when(Enrol(reason_codes=("evidence-seen",)))
    assert taken.state.reason_codes == taken.state.decision_codes == ("evidence-seen",)
    before = taken.state.model_copy(update={"decision_codes": ()})  # as it was kept once
    for state in (taken.state, before):
        left = Spec(ENROLMENTS, state).when(LEAVE).state
        assert (left.reason_codes, left.decision_codes) == (("no-time",), ("evidence-seen",))
    assert EVALUATED.when(LEAVE).state.decision_codes == ()


def test_a_submission_is_evaluated_in_its_own_intent_in_this_order() -> None:
    world = office()
    world.run(begin())
    submitted, evaluated = world.run(SUBMIT)
    assert submitted == EnrolmentSubmitted(**WHO)
    assert isinstance(evaluated, EligibilityEvaluated)
    assert (evaluated.outcome, evaluated.rules_version) == ("met", "2026-1")
    enrolment = world.get(ENROLMENTS, "ana:call-1")
    assert (enrolment.status, enrolment.submitted_at) == ("evaluated", NOON)
    assert world.run(SUBMIT) == []


def test_a_submission_without_a_business_says_so_and_leaves_the_rest_unknown() -> None:
    world = office()
    world.run(begin(business_id=None), SUBMIT)
    evaluation = world.get(ENROLMENTS, "ana:call-1").evaluation
    results = {leaf.code: leaf.result for leaf in evaluation.leaves}
    assert results["business-registered"] == "unmet"
    assert results["women-own-majority"] == "unknown"


def test_what_she_leaves_open_about_herself_is_unknown_to_the_tree() -> None:
    world = office(facets=FACETS.model_copy(update={"self_declared_woman": None}))
    world.run(begin(), SUBMIT)
    assert world.get(ENROLMENTS, "ana:call-1").evaluation.outcome == "unknown"


def test_a_call_for_other_states_is_not_met() -> None:
    world = office(terms=TERMS.model_copy(update={"states": ("20",)}))
    world.run(begin(), SUBMIT)
    assert world.get(ENROLMENTS, "ana:call-1").evaluation.outcome == "unmet"


def test_a_submission_after_the_close_is_refused_whole() -> None:
    world = office()
    world.run(begin())
    assert world.refused(SUBMIT, at=CLOSES) == "call-closed"
    assert world.refused(SUBMIT, at=NOON - timedelta(seconds=1)) == "call-not-open-yet"
    assert world.get(ENROLMENTS, "ana:call-1").status == "draft"
    world.run(Do(CALLS, "call-1", Close()))
    assert world.refused(SUBMIT) == "call-closed"
