"""Enrolments: drafted, submitted and withdrawn by her, decided by intake."""

from typing import Annotated, Literal

from pydantic import Field

from services.enrollment.domain import enrolments as domain
from services.enrollment.domain.businesses import BUSINESSES, is_hers
from services.enrollment.domain.calls import CALLS, is_open
from services.enrollment.domain.enrolments import ENROLMENTS, Draft, Enrolment
from services.enrollment.domain.persons import PERSONS, is_registered
from services.enrollment.domain.reasons import DeclineReason, EnrolReason, WithdrawReason
from services.enrollment.routes.policies import HERS, INTAKE, STAFF
from services.enrollment.store import filled
from shared.chassis.http import Intent, Page, Paging, Query, Reply, Router
from shared.chassis.policy import AnyOf, Owner, Self
from shared.model import Do, Frozen, Require, Step, Unknown
from shared.types import Id, PartId

router = Router(tags=["enrolments"])

Queue = Literal["submitted", "evaluated", "enrolled", "declined", "withdrawn"]
OWNER = Owner(ENROLMENTS, "person_id")


class NewDraft(Draft):
    """A draft for one call."""

    call_id: PartId


class Admission(Frozen):
    """She is taken in; against the advice of the rules only with a reason."""

    reason_codes: Annotated[tuple[EnrolReason, ...], Field(max_length=3)] = ()


class Refusal(Frozen):
    """She is declined, for these reasons."""

    reason_codes: Annotated[tuple[DeclineReason, ...], Field(min_length=1, max_length=8)]


class Withdrawal(Frozen):
    """Why she leaves."""

    reason_code: WithdrawReason


class EnrolmentView(Enrolment):
    """An enrolment as she and intake see it, with the advice leaf by leaf."""

    @classmethod
    def of(cls, enrolment: Enrolment) -> "EnrolmentView":
        """Everything: each reason is hers to read."""
        return cls(**dict(enrolment))


def _brings_hers(person_id: Id, draft: Draft) -> list[Step]:
    if draft.business_id is None:
        return []
    return [Require(BUSINESSES, draft.business_id, is_hers(person_id))]


@router.post("/enrolments", policy=HERS, status=201)
async def begin_enrolment(body: NewDraft, intent: Intent) -> Reply[EnrolmentView]:
    person_id, call_id = intent.person_id, body.call_id
    enrolment_id = f"{person_id}:{call_id}"
    draft = Draft(business_id=body.business_id, answers=body.answers)
    begin = domain.Begin(
        enrolment_id=enrolment_id, person_id=person_id, call_id=call_id, draft=draft
    )
    return await intent.run(
        Require(PERSONS, person_id, is_registered),
        Require(CALLS, call_id, is_open),
        *_brings_hers(person_id, draft),
        Do(ENROLMENTS, enrolment_id, begin),
        reply=EnrolmentView.of,
    )


@router.put("/enrolments/{enrolment_id}", policy=OWNER)
async def edit_enrolment(enrolment_id: Id, body: Draft, intent: Intent) -> Reply[EnrolmentView]:
    return await intent.run(
        *_brings_hers(intent.person_id, body),
        Do(ENROLMENTS, enrolment_id, domain.Edit(draft=body)),
        reply=EnrolmentView.of,
    )


@router.post("/enrolments/{enrolment_id}/submission", policy=OWNER)
async def submit_enrolment(enrolment_id: Id, intent: Intent) -> Reply[EnrolmentView]:
    return await intent.run(Do(ENROLMENTS, enrolment_id, domain.Submit()), reply=EnrolmentView.of)


@router.post("/enrolments/{enrolment_id}/admission", policy=INTAKE)
async def enrol_applicant(
    enrolment_id: Id, body: Admission, intent: Intent
) -> Reply[EnrolmentView]:
    enrol = domain.Enrol(reason_codes=body.reason_codes)
    return await intent.run(*_decided(enrolment_id, enrol), reply=EnrolmentView.of)


@router.post("/enrolments/{enrolment_id}/refusal", policy=INTAKE)
async def decline_applicant(
    enrolment_id: Id, body: Refusal, intent: Intent
) -> Reply[EnrolmentView]:
    decline = domain.Decline(reason_codes=body.reason_codes)
    return await intent.run(*_decided(enrolment_id, decline), reply=EnrolmentView.of)


def _decided(enrolment_id: Id, decision: domain.Enrol | domain.Decline) -> list[Step]:
    # A guard too: it is asked before the version that the desk names, which could be tried out.
    return [
        Require(ENROLMENTS, enrolment_id, domain.is_handed_in),
        Do(ENROLMENTS, enrolment_id, decision),
    ]


@router.post("/enrolments/{enrolment_id}/withdrawal", policy=OWNER)
async def withdraw_enrolment(
    enrolment_id: Id, body: Withdrawal, intent: Intent
) -> Reply[EnrolmentView]:
    withdraw = domain.Withdraw(reason_code=body.reason_code)
    return await intent.run(Do(ENROLMENTS, enrolment_id, withdraw), reply=EnrolmentView.of)


@router.get("/enrolments/{enrolment_id}", policy=AnyOf(OWNER, STAFF))
async def get_enrolment(enrolment_id: Id, query: Query) -> EnrolmentView:
    found: Enrolment = await query.get(ENROLMENTS, enrolment_id, unknown="enrolment-unknown")
    if found.is_private and found.person_id != query.person_id:
        raise Unknown("enrolment-unknown")
    return EnrolmentView.of(found)


@router.get("/enrolments", policy=STAFF)
async def list_enrolments(
    query: Query, paging: Paging, status: Queue = "evaluated", call_id: Id | None = None
) -> Page[EnrolmentView]:
    where = filled(status=status, call_id=call_id)
    return await query.page(ENROLMENTS, where, paging, of=EnrolmentView.of, sort="submitted_at")


@router.get("/persons/{person_id}/enrolments", policy=Self("person_id"))
async def list_enrolments_of_person(
    person_id: Id, query: Query, paging: Paging
) -> Page[EnrolmentView]:
    where = {"person_id": person_id}
    return await query.page(ENROLMENTS, where, paging, of=EnrolmentView.of)
