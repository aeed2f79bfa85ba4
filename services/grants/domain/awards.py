"""An award: money proposed by one person, approved by another, offered to her with a clock.

Its pool holds the money or gives it a rank; when she accepts, its tranches come to life.
"""

from datetime import datetime

from services.grants.domain import holds, offers, tranches
from services.grants.domain.award_facts import ApprovalSigned, AwardStopped, ProposalKept
from services.grants.domain.holds import Hold, HoldCommand, Resume
from services.grants.domain.offers import (
    Accept,
    Cancel,
    Grant,
    Offerable,
    OfferCommand,
    Queue,
    Retract,
)
from services.grants.domain.rounds import Nomination, Terms
from services.grants.domain.separation import bar
from services.grants.domain.tranches import (
    Credit,
    MarkFailed,
    MarkPaid,
    Pay,
    ReturnMoney,
    Tranche,
    TrancheCommand,
    TrancheState,
    Uncredit,
)
from shared.events.grants import AwardProposed, GrantApproved, TrancheResumed
from shared.model import Aggregate, Command, Context, Event, Forbidden, Refused, Tick, Unknown


class Award(Offerable):
    """Money for one woman: `offers` says how she gets it, `tranches` how it is paid to her.

    `tranche_states`: by which it is found once she accepted.
    """

    tranche_states: tuple[TrancheState, ...] = ()


class Propose(Command):
    nomination: Nomination
    terms: Terms


class Approve(Command):
    """A second person agrees."""


AwardCommand = Propose | Approve | OfferCommand | TrancheCommand | HoldCommand


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
        case Award(), Grant() | Queue() | Accept() | Cancel() | Retract() | Tick():
            return offers.decide_offer(award, command, now)
        case Award(), Pay() | ReturnMoney() | Hold() | Resume() if award.status != "accepted":
            raise Refused("award-not-accepted")
        case Award(), Hold() | Resume():
            return holds.decide_hold(award, command, now)
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
    bar(award.person_id, award.helped_by, now)
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


def evolve(award: Award | None, event: Event) -> Award | None:
    if isinstance(event, ProposalKept):  # also again, after a cancellation
        return _proposed(event)
    if award is None:
        return None
    if (changed := tranches.changes(event)) is not None:
        award = _with_tranche(award, *changed)
    award = award.model_copy(update=_changes(event) or offers.changes(event))
    return _to_be_found(award) if award.status == "accepted" else award


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
        helped_by=nomination.helped_by,
        tranches=tuple(Tranche(**dict(p), met=p.course_id is None) for p in terms.parts),
    )


def _with_tranche(award: Award, number: int, update: dict[str, object]) -> Award:
    parts = tuple(
        one.model_copy(update=update) if one.number == number else one for one in award.tranches
    )
    return award.model_copy(update={"tranches": parts})


def _to_be_found(award: Award) -> Award:
    states = sorted({state for one in award.tranches for state in one.states})
    return award.model_copy(update={"tranche_states": tuple(states)})


def _changes(event: Event) -> dict[str, object]:
    match event:
        case ApprovalSigned():
            return {"approved_by": event.approved_by, "status": "approved"}
        case AwardStopped():
            return {"stopped": True}
        case TrancheResumed():  # only who is enrolled again has it
            return {"stopped": False}
    return {}


def due(award: Award) -> datetime | None:
    return award.expires_at if award.status == "offered" else None


AWARDS = Aggregate("awards", Award, decide, evolve, due)
