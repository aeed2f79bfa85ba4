"""Awards: approved by staff, accepted by her, paid tranche by tranche by the treasury."""

from typing import Annotated

from fastapi import Path

from services.grants.domain.awards import AWARDS, Approve, Award
from services.grants.domain.holds import Hold, Resume
from services.grants.domain.offers import Accept, AwardStatus, Cancel, CancelReason
from services.grants.domain.tranches import DeskReason, Pay, ReturnMoney, Tranche, TrancheState
from services.grants.routes.policies import STAFF
from services.grants.store import filled
from shared.chassis.http import Intent, Page, Paging, Query, Reply, Router
from shared.chassis.policy import AnyOf, Owner, Role, Self
from shared.model import Do, Frozen
from shared.types import Code, Flag, Id, Moment, PositiveCentavos, PositiveCount

router = Router(tags=["awards"])

Number = Annotated[str, Path(pattern=r"^([1-9]|1[0-2])$")]


class Cancellation(Frozen):
    """Why staff take the award back."""

    reason_code: CancelReason


class Holding(Frozen):
    """Why staff stop a part of the award."""

    reason_code: DeskReason


class AwardView(Frozen):
    """An award as she and staff see it. `expires_at`: an offer waits for her answer."""

    id: Id
    person_id: Id
    round_id: Id
    pool_id: Id
    amount: PositiveCentavos
    status: AwardStatus
    rank: PositiveCount | None
    expires_at: Moment | None
    reason_code: Code | None
    stopped: Flag
    tranches: tuple[Tranche, ...]

    @classmethod
    def of(cls, award: Award) -> "AwardView":
        """Without who proposed and approved it: that is in the audit trail."""
        return cls(**{name: getattr(award, name) for name in cls.model_fields})


@router.post("/awards/{award_id}/approval", policy=Role("approver"))
async def approve_award(award_id: Id, intent: Intent) -> Reply[AwardView]:
    return await intent.run(Do(AWARDS, award_id, Approve()), reply=AwardView.of)


@router.post("/awards/{award_id}/acceptance", policy=Owner(AWARDS, "person_id"))
async def accept_award(award_id: Id, intent: Intent) -> Reply[AwardView]:
    return await intent.run(Do(AWARDS, award_id, Accept()), reply=AwardView.of)


@router.post("/awards/{award_id}/cancellation", policy=Role("approver"))
async def cancel_award(award_id: Id, body: Cancellation, intent: Intent) -> Reply[AwardView]:
    cancel = Cancel(reason_code=body.reason_code)
    return await intent.run(Do(AWARDS, award_id, cancel), reply=AwardView.of)


@router.post("/awards/{award_id}/tranches/{tranche}/payment", policy=Role("treasurer"))
async def pay_tranche(award_id: Id, tranche: Number, intent: Intent) -> Reply[AwardView]:
    return await intent.run(Do(AWARDS, award_id, Pay(tranche=int(tranche))), reply=AwardView.of)


@router.post(
    "/awards/{award_id}/tranches/{tranche}/renunciation",
    policy=Owner(AWARDS, "person_id", "award_id"),
)
async def renounce_tranche(award_id: Id, tranche: Number, intent: Intent) -> Reply[AwardView]:
    hold = Hold(tranche=int(tranche), reason_code="renounced")
    return await intent.run(Do(AWARDS, award_id, hold), reply=AwardView.of)


@router.post("/awards/{award_id}/tranches/{tranche}/hold", policy=Role("approver"))
async def hold_tranche(
    award_id: Id, tranche: Number, body: Holding, intent: Intent
) -> Reply[AwardView]:
    hold = Hold(tranche=int(tranche), reason_code=body.reason_code)
    return await intent.run(Do(AWARDS, award_id, hold), reply=AwardView.of)


@router.post("/awards/{award_id}/tranches/{tranche}/resumption", policy=Role("approver"))
async def resume_tranche(award_id: Id, tranche: Number, intent: Intent) -> Reply[AwardView]:
    """Ready again, or waiting for its certificate; only for who is enrolled."""
    resume = Resume(tranche=int(tranche))
    return await intent.run(Do(AWARDS, award_id, resume), reply=AwardView.of)


@router.post("/awards/{award_id}/tranches/{tranche}/return", policy=Role("approver"))
async def return_tranche(award_id: Id, tranche: Number, intent: Intent) -> Reply[AwardView]:
    back = ReturnMoney(tranche=int(tranche))
    return await intent.run(Do(AWARDS, award_id, back), reply=AwardView.of)


@router.get("/awards/{award_id}", policy=AnyOf(Owner(AWARDS, "person_id"), STAFF))
async def get_award(award_id: Id, query: Query) -> AwardView:
    return AwardView.of(await query.get(AWARDS, award_id, unknown="award-unknown"))


@router.get("/awards", policy=STAFF)
async def list_awards(
    query: Query,
    paging: Paging,
    status: AwardStatus | None = None,
    round_id: Id | None = None,
) -> Page[AwardView]:
    where = filled(status=status, round_id=round_id)
    return await query.page(AWARDS, where, paging, of=AwardView.of)


@router.get("/tranches", policy=STAFF)
async def list_awards_by_tranche(
    query: Query, paging: Paging, state: TrancheState = "ready"
) -> Page[AwardView]:
    return await query.page(AWARDS, {"tranche_states": state}, paging, of=AwardView.of)


@router.get("/persons/{person_id}/awards", policy=AnyOf(Self("person_id"), STAFF))
async def list_awards_of_person(
    person_id: Id, query: Query, paging: Paging, status: AwardStatus | None = None
) -> Page[AwardView]:
    where = filled(person_id=person_id, status=status)
    return await query.page(AWARDS, where, paging, of=AwardView.of)
