"""An enrolment: one woman in one call, from her draft to the decision of a person.

There is one a woman and call: its id is made of both. The rule tree advises; an officer who is
neither the applicant nor who submitted it for her decides, and says why when against the advice.
"""

from typing import Annotated, Literal

from pydantic import Field

from services.enrollment.domain.facts import Facts, Inquiry
from services.enrollment.domain.reasons import DeclineReason, EnrolReason, WithdrawReason
from services.enrollment.domain.rules import Evaluation, evaluate
from shared.events.enrollment import (
    ApplicantEnrolled,
    EligibilityEvaluated,
    EnrolmentDeclined,
    EnrolmentSubmitted,
    EnrolmentWithdrawn,
)
from shared.events.enrollment import Leaf as PublicLeaf
from shared.model import Aggregate, Command, Context, Event, Forbidden, Frozen, Refused, Unknown
from shared.types import Code, Id, Moment

Status = Literal[
    "draft", "discarded", "submitted", "evaluated", "enrolled", "declined", "withdrawn"
]


class Answer(Frozen):
    """One question of the form and what she chose: codes, never her own words."""

    question: Code
    choice: Code


Answers = Annotated[tuple[Answer, ...], Field(max_length=60)]


class Draft(Frozen):
    """What she fills in, in codes only."""

    business_id: Id | None = None
    answers: Answers = ()


class Enrolment(Frozen):
    """One woman in one call. `helped_by`: who submitted it for her.

    `reason_codes` are those of its latest change, `decision_codes` those of the decision.
    """

    id: Id
    person_id: Id
    call_id: Id
    draft: Draft
    status: Status = "draft"
    submitted_at: Moment | None = None
    helped_by: Id | None = None
    evaluation: Evaluation | None = None
    decided_by: Id | None = None
    reason_codes: tuple[Code, ...] = ()
    decision_codes: tuple[Code, ...] = ()

    @property
    def is_private(self) -> bool:
        """What she has not handed in is hers: nobody else knows of it."""
        return self.status in ("draft", "discarded")


class Begin(Command):
    enrolment_id: Id
    person_id: Id
    call_id: Id
    draft: Draft


class Edit(Command):
    draft: Draft


class Submit(Command):
    """She hands it in: from here on it is judged as it stands."""


class Evaluate(Command):
    """The facts are gathered: the tree gives its advice."""

    facts: Facts


class Enrol(Command):
    """An officer takes her in; against the advice only with a reason."""

    reason_codes: tuple[EnrolReason, ...] = ()


class Decline(Command):
    reason_codes: tuple[DeclineReason, ...]


class Withdraw(Command):
    reason_code: WithdrawReason


class DraftKept(Event):
    """A draft was begun or changed: hers alone until she submits it."""

    enrolment_id: Id
    person_id: Id
    call_id: Id
    draft: Draft


class DraftDiscarded(Event):
    """She gave a draft up: nobody else ever knew of it."""

    reason_code: Code


class FactsSought(Event):
    """A submitted enrolment asks for what it is judged by."""

    inquiry: Inquiry
    at: Moment
    helped_by: Id | None = None


class AdviceKept(Event):
    """The evaluation with its evidence; only codes and results are published."""

    evaluation: Evaluation


class DecisionKept(Event):
    """Who decided, and why."""

    decided_by: Id
    reason_codes: tuple[Code, ...]


EnrolmentCommand = Begin | Edit | Submit | Evaluate | Enrol | Decline | Withdraw


def is_handed_in(enrolment: Enrolment | None, _now: Context) -> None:
    """A guard: to the desk there is only what was handed in."""
    if enrolment is None or enrolment.is_private:
        raise Unknown("enrolment-unknown")


def decide(enrolment: Enrolment | None, command: EnrolmentCommand, now: Context) -> list[Event]:
    match enrolment, command:
        case ((None | Enrolment(status="discarded")), Begin()):
            return [DraftKept(**dict(command))]
        case None, _:
            raise Unknown("enrolment-unknown")
        case Enrolment(), Begin() | Edit() | Submit():
            return _hers(enrolment, command, now)
        case Enrolment(status="submitted"), Evaluate():
            return _evaluate(enrolment, command.facts)
        case Enrolment(), Enrol() | Decline():
            return _decide(enrolment, command, now)
        case Enrolment(), Withdraw():
            return _withdraw(enrolment, command.reason_code)
    return []


def _hers(enrolment: Enrolment, command: Begin | Edit | Submit, now: Context) -> list[Event]:
    match enrolment, command:
        case Enrolment(status="draft"), Submit():
            return _submit(enrolment, now)
        case Enrolment(status="discarded"), _:
            raise Unknown("enrolment-unknown")
        case Enrolment(), Submit():
            return _unless_over(enrolment)
        case Enrolment(), Begin() | Edit() if command.draft == enrolment.draft:
            return []
        case Enrolment(status="draft"), Edit():
            return [_kept(enrolment, command.draft)]
        case _, Begin():
            raise Refused("enrolment-exists")
    raise Refused("enrolment-already-submitted")


def _unless_over(enrolment: Enrolment) -> list[Event]:
    if enrolment.status == "declined":
        raise Refused("enrolment-declined")
    if enrolment.status == "withdrawn":
        raise Refused("enrolment-withdrawn")
    return []


def _kept(enrolment: Enrolment, draft: Draft) -> DraftKept:
    return DraftKept(**_who(enrolment), draft=draft)


def _submit(enrolment: Enrolment, now: Context) -> list[Event]:
    business_id = enrolment.draft.business_id
    known = Facts() if business_id else Facts(business_registered=False)
    inquiry = Inquiry(**_who(enrolment), business_id=business_id, facts=known)
    sought = FactsSought(inquiry=inquiry, at=now.at, helped_by=now.helper)
    return [EnrolmentSubmitted(**_who(enrolment)), sought]


def _evaluate(enrolment: Enrolment, facts: Facts) -> list[Event]:
    assert facts.rules_version, "the call is asked first, and names its rules"
    evaluation = evaluate(facts.rules_version, facts)
    public = EligibilityEvaluated(
        person_id=enrolment.person_id,
        enrolment_id=enrolment.id,
        rules_version=evaluation.rules_version,
        outcome=evaluation.outcome,
        leaves=tuple(PublicLeaf(code=leaf.code, result=leaf.result) for leaf in evaluation.leaves),
    )
    return [AdviceKept(evaluation=evaluation), public]


def _decide(enrolment: Enrolment, command: Enrol | Decline, now: Context) -> list[Event]:
    is_handed_in(enrolment, now)
    if now.acts_for(enrolment.person_id):
        raise Forbidden("own-enrolment")
    if now.actor == enrolment.helped_by:
        raise Forbidden("helper-may-not-decide")
    done = "enrolled" if isinstance(command, Enrol) else "declined"
    if enrolment.status == done:
        return []
    if enrolment.status != "evaluated" or enrolment.evaluation is None:
        raise Refused("enrolment-not-evaluated")
    if not command.reason_codes and not _is_advised(enrolment.evaluation, command):
        raise Refused("decision-reason-missing")
    kept = DecisionKept(decided_by=now.actor, reason_codes=command.reason_codes)
    if isinstance(command, Enrol):
        return [kept, ApplicantEnrolled(**_who(enrolment))]
    return [kept, EnrolmentDeclined(**_who(enrolment), reason_codes=command.reason_codes)]


def _is_advised(evaluation: Evaluation, command: Enrol | Decline) -> bool:
    return isinstance(command, Enrol) and evaluation.outcome == "met"


def _withdraw(enrolment: Enrolment, reason_code: Code) -> list[Event]:
    if enrolment.status == "draft":
        return [DraftDiscarded(reason_code=reason_code)]
    if enrolment.status in ("discarded", "withdrawn"):
        return []
    if enrolment.status == "declined":
        raise Refused("enrolment-declined")
    return [EnrolmentWithdrawn(**_who(enrolment), reason_code=reason_code)]


def _who(enrolment: Enrolment) -> dict[str, Id]:
    return {
        "person_id": enrolment.person_id,
        "enrolment_id": enrolment.id,
        "call_id": enrolment.call_id,
    }


def evolve(enrolment: Enrolment | None, event: Event) -> Enrolment | None:
    if isinstance(event, DraftKept):  # also anew, after an earlier draft was discarded
        return Enrolment(
            id=event.enrolment_id,
            person_id=event.person_id,
            call_id=event.call_id,
            draft=event.draft,
        )
    return None if enrolment is None else enrolment.model_copy(update=_changes(enrolment, event))


def _changes(enrolment: Enrolment, event: Event) -> dict[str, object]:
    match event:
        case EnrolmentSubmitted():
            return {"status": "submitted"}
        case FactsSought():
            return {"submitted_at": event.at, "helped_by": event.helped_by}
        case AdviceKept():
            return {"status": "evaluated", "evaluation": event.evaluation}
        case DecisionKept():
            why = event.reason_codes
            return {"decided_by": event.decided_by, "reason_codes": why, "decision_codes": why}
        case ApplicantEnrolled():
            return {"status": "enrolled"}
        case EnrolmentDeclined():
            return {"status": "declined"}
        case DraftDiscarded():
            return {"status": "discarded", "reason_codes": (event.reason_code,)}
        case EnrolmentWithdrawn():
            why = enrolment.reason_codes  # of the decision, also where nothing else kept them yet
            gone = {"status": "withdrawn", "decision_codes": why}
            return {**gone, "reason_codes": (event.reason_code,)}
    return {}


ENROLMENTS = Aggregate("enrolments", Enrolment, decide, evolve)
