"""The offer of an award: the pool's answer to an approval, her acceptance in time, and its end.

Money is held for it, or it has a rank; accepted, its money is bound and its tranches come to life.
"""

from datetime import datetime, timedelta
from typing import Any, Literal

from services.grants.domain import tranches
from services.grants.domain.award_facts import AwardStopped, HoldEnded, MoneyBound, WaitEnded
from services.grants.domain.rounds import OfferSeconds
from services.grants.domain.separation import bar
from services.grants.domain.tranches import Payable
from shared.events.grants import (
    AwardAccepted,
    AwardCancelled,
    AwardOffered,
    AwardOfferExpired,
    AwardPromoted,
    AwardWaitlisted,
)
from shared.model import Command, Context, Event, Refused, Tick
from shared.types import Code, Id, Moment, PositiveCentavos, PositiveCount

AwardStatus = Literal[
    "proposed", "approved", "waitlisted", "offered", "accepted", "expired", "cancelled"
]

CancelReason = Literal["documents-false", "ineligible-found", "proposed-by-mistake"]
"""Why staff take an award back before she accepted it."""

RetractReason = Literal["application-withdrawn", "enrolment-withdrawn"]


class Offerable(Payable):
    """What an offer needs to know of its award. `approved` lasts no longer than its intent."""

    round_id: Id
    amount: PositiveCentavos
    offer_seconds: OfferSeconds
    status: AwardStatus = "proposed"
    rank: PositiveCount | None = None
    expires_at: Moment | None = None
    reason_code: Code | None = None


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


OfferCommand = Grant | Queue | Accept | Cancel | Retract | Tick


def decide_offer(award: Offerable, command: OfferCommand, now: Context) -> list[Event]:
    """What a command says to the offer of an award, whichever state it is in."""
    match command:
        case Grant() | Queue():
            return _answered(award, command, now)
        case Accept():
            return _accept(award, now)
        case Cancel():
            bar(award.person_id, award.helped_by, now)
            return _end(award, command)
        case Retract():
            return _end(award, command)
        case Tick():
            return _expire(award, now)


def _answered(award: Offerable, command: Grant | Queue, now: Context) -> list[Event]:
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


def _accept(award: Offerable, now: Context) -> list[Event]:
    match award:
        case Offerable(status="accepted"):
            return []
        case Offerable(status="offered", expires_at=datetime() as end) if now.at < end:
            return _accepted(award)
        case Offerable(status="offered" | "expired"):
            raise Refused("award-offer-expired")
        case Offerable(status="cancelled"):
            raise Refused("award-was-cancelled")
    raise Refused("award-not-offered")


def _accepted(award: Offerable) -> list[Event]:
    bound = MoneyBound(
        pool_id=award.pool_id,
        award_id=award.id,
        person_id=award.person_id,
        amount=award.amount,
    )
    at_once = [tranches.ready(award, one) for one in award.tranches if one.met]
    return [AwardAccepted(**_ids(award)), bound, *at_once]


def _expire(award: Offerable, now: Context) -> list[Event]:
    match award:
        case Offerable(status="offered", expires_at=datetime() as end) if now.at >= end:
            return [AwardOfferExpired(**_ids(award)), _hold_ended(award)]
    return []


def _end(award: Offerable, command: Cancel | Retract) -> list[Event]:
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


def _hold_ended(award: Offerable) -> HoldEnded:
    return HoldEnded(pool_id=award.pool_id, award_id=award.id, amount=award.amount)


def _ids(award: Offerable) -> dict[str, Any]:
    ids = {"person_id": award.person_id, "award_id": award.id, "round_id": award.round_id}
    return {**ids, "amount": award.amount}


def changes(event: Event) -> dict[str, object]:
    """What an event changes in the offer."""
    match event:
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
    return {}
