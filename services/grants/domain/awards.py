"""An award: money proposed by one person, approved by another, offered to her with a clock.

Its pool holds the money or gives it a rank; when she accepts, its tranches come to life.
"""

from datetime import datetime, timedelta
from typing import Any, Literal

from services.grants.domain import tranches
from services.grants.domain.award_facts import (
    ApprovalSigned,
    AwardStopped,
    HoldEnded,
    MoneyBound,
    ProposalKept,
    WaitEnded,
)
from services.grants.domain.rounds import Nomination, OfferSeconds, Terms
from services.grants.domain.tranches import (
    Credit,
    MarkFailed,
    MarkPaid,
    Pay,
    Payable,
    ReturnMoney,
    Tranche,
    TrancheCommand,
    TrancheState,
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
)
from shared.model import (
    Aggregate,
    Command,
    Context,
    Event,
    Forbidden,
    Refused,
    Tick,
    Unknown,
)
from shared.types import Code, Id, Moment, PositiveCentavos, PositiveCount

AwardStatus = Literal[
    "proposed", "approved", "waitlisted", "offered", "accepted", "expired", "cancelled"
]

CancelReason = Literal["documents-false", "ineligible-found", "proposed-by-mistake"]
"""Why staff take an award back before she accepted it."""

RetractReason = Literal["application-withdrawn", "enrolment-withdrawn"]


class Award(Payable):
    """Money for one woman. `approved` lasts no longer than the intent that asks the pool."""

    round_id: Id
    amount: PositiveCentavos
    offer_seconds: OfferSeconds
    status: AwardStatus = "proposed"
    rank: PositiveCount | None = None
    expires_at: Moment | None = None
    reason_code: Code | None = None
    tranche_states: tuple[TrancheState, ...] = ()


class Propose(Command):
    nomination: Nomination
    terms: Terms


class Approve(Command):
    """A second person agrees."""


class Grant(Command):
    """The pool holds the money for it."""


class Queue(Command):
    """The pool has too little: it stands in line."""

    rank: PositiveCount


class Accept(Command):
    """She accepts the offer."""


class Cancel(Command):
    """Staff take it back before she accepted."""

    reason_code: CancelReason


class Retract(Command):
    """She withdrew: what is not accepted ends, what is not paid is held."""

    reason_code: RetractReason


AwardCommand = Propose | Approve | Grant | Queue | Accept | Cancel | Retract | TrancheCommand | Tick


def decide(award: Award | None, command: AwardCommand, now: Context) -> list[Event]:
    match award, command:
        case None | Award(status="cancelled"), Propose():
            return _propose(command)
        case None, Retract() | Credit() | Uncredit():
            return []
        case None, _:
            raise Unknown("award-unknown")
        case Award(), Propose():
            raise Refused("award-exists")
        case Award(), Approve():
            return _approve(award, now)
        case Award(), Grant() | Queue():
            return _answered(award, command, now)
        case Award(), Accept():
            return _accept(award, now)
        case Award(), Cancel() | Retract():
            return _end(award, command)
        case Award(status="offered", expires_at=datetime() as end), Tick() if now.at >= end:
            return [AwardOfferExpired(**_ids(award)), _hold_ended(award)]
        case Award(), Pay() | ReturnMoney() if award.status != "accepted":
            raise Refused("award-not-accepted")
        case Award(status="accepted"), Pay() | ReturnMoney() | Credit() | Uncredit():
            return tranches.decide_tranches(award, command, now)
        case Award(status="accepted"), MarkPaid() | MarkFailed():
            return tranches.decide_tranches(award, command, now)
    return []


def _propose(command: Propose) -> list[Event]:
    nomination = command.nomination
    proposed = AwardProposed(
        person_id=nomination.person_id,
        award_id=nomination.application_id,
        application_id=nomination.application_id,
        pool_id=command.terms.pool_id,
        amount=nomination.amount,
    )
    return [ProposalKept(nomination=nomination, terms=command.terms), proposed]


def _approve(award: Award, now: Context) -> list[Event]:
    if award.status == "cancelled":
        raise Refused("award-was-cancelled")
    if now.actor == award.approved_by:
        return []
    if award.approved_by is not None:
        raise Refused("award-already-approved")
    if now.actor == award.person_id:
        raise Forbidden("award-to-oneself")
    if now.actor == award.proposed_by:
        raise Forbidden("approval-needs-second-person")
    approved = GrantApproved(
        person_id=award.person_id,
        award_id=award.id,
        application_id=award.id,
        pool_id=award.pool_id,
        amount=award.amount,
    )
    return [ApprovalSigned(approved_by=now.actor), approved]


def _answered(award: Award, command: Grant | Queue, now: Context) -> list[Event]:
    expires_at = now.at + timedelta(seconds=award.offer_seconds)
    match award.status, command:
        case "approved", Queue(rank=rank):
            return [AwardWaitlisted(**_ids(award), rank=rank)]
        case "approved", Grant():
            return [AwardOffered(**_ids(award), expires_at=expires_at)]
        case "waitlisted", Grant():
            return [AwardPromoted(**_ids(award), expires_at=expires_at)]
        case "cancelled", Grant():  # it ended in the same intent that freed money for it
            return [_hold_ended(award)]
    return []


def _accept(award: Award, now: Context) -> list[Event]:
    match award:
        case Award(status="accepted"):
            return []
        case Award(status="offered", expires_at=datetime() as end) if now.at < end:
            return _accepted(award)
        case Award(status="offered" | "expired"):
            raise Refused("award-offer-expired")
        case Award(status="cancelled"):
            raise Refused("award-was-cancelled")
    raise Refused("award-not-offered")


def _accepted(award: Award) -> list[Event]:
    bound = MoneyBound(
        pool_id=award.pool_id,
        award_id=award.id,
        person_id=award.person_id,
        amount=award.amount,
    )
    at_once = [tranches.ready(award, one) for one in award.tranches if one.met]
    return [AwardAccepted(**_ids(award)), bound, *at_once]


def _end(award: Award, command: Cancel | Retract) -> list[Event]:
    cancelled = AwardCancelled(**_ids(award), reason_code=command.reason_code)
    match award.status, command:
        case "proposed", _:
            return [cancelled]
        case "waitlisted", _:
            return [cancelled, WaitEnded(pool_id=award.pool_id, award_id=award.id)]
        case "offered", _:
            return [cancelled, _hold_ended(award)]
        case "accepted", Cancel():
            raise Refused("award-already-accepted")
        case "accepted", Retract() if not award.stopped:
            return [AwardStopped(), *tranches.hold_unpaid(award)]
    return []


def _hold_ended(award: Award) -> HoldEnded:
    return HoldEnded(pool_id=award.pool_id, award_id=award.id, amount=award.amount)


def _ids(award: Award) -> dict[str, Any]:
    ids = {"person_id": award.person_id, "award_id": award.id, "round_id": award.round_id}
    return {**ids, "amount": award.amount}


def evolve(award: Award | None, event: Event) -> Award | None:
    if isinstance(event, ProposalKept):  # also again, after a cancellation
        return _proposed(event)
    if award is None:
        return None
    if (changed := tranches.changes(event)) is not None:
        return _with_tranche(award, *changed)
    return award.model_copy(update=_changes(event))


def _proposed(event: ProposalKept) -> Award:
    nomination, terms = event.nomination, event.terms
    return Award(
        id=nomination.application_id,
        person_id=nomination.person_id,
        round_id=nomination.round_id,
        pool_id=terms.pool_id,
        amount=nomination.amount,
        offer_seconds=terms.offer_seconds,
        proposed_by=nomination.proposed_by,
        tranches=tuple(Tranche(**dict(p), met=p.course_id is None) for p in terms.parts),
    )


def _with_tranche(award: Award, number: int, update: dict[str, object]) -> Award:
    parts = tuple(
        one.model_copy(update=update) if one.number == number else one for one in award.tranches
    )
    states = sorted({state for one in parts for state in one.states})
    return award.model_copy(update={"tranches": parts, "tranche_states": tuple(states)})


def _changes(event: Event) -> dict[str, object]:
    match event:
        case ApprovalSigned():
            return {"approved_by": event.approved_by, "status": "approved"}
        case AwardWaitlisted():
            return {"status": "waitlisted", "rank": event.rank}
        case AwardOffered() | AwardPromoted():
            return {"status": "offered", "rank": None, "expires_at": event.expires_at}
        case AwardAccepted():
            return {"status": "accepted", "expires_at": None}
        case AwardOfferExpired():
            return {"status": "expired", "expires_at": None}
        case AwardCancelled():
            ended = {"status": "cancelled", "rank": None, "expires_at": None}
            return {**ended, "reason_code": event.reason_code}
        case AwardStopped():
            return {"stopped": True}
    return {}


def due(award: Award) -> datetime | None:
    return award.expires_at if award.status == "offered" else None


AWARDS = Aggregate("awards", Award, decide, evolve, due)
