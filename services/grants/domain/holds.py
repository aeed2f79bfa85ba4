"""What people stop and let go on: a part of an accepted award that was not sent.

She renounces it, or the desk holds it with a reason that she reads. The money of what is held may
go back to the pool; until then the hold can be lifted, if she is enrolled.
"""

from services.grants.domain.separation import bar
from services.grants.domain.tranches import (
    DeskReason,
    OwnReason,
    Payable,
    Tranche,
    ended,
    find,
    held,
    ready,
)
from shared.events.grants import TrancheResumed
from shared.model import Command, Context, Event, Refused
from shared.types import PositiveCount


class Hold(Command):
    """It is not to be paid: she does not want it, or the desk has a reason."""

    tranche: PositiveCount
    reason_code: DeskReason | OwnReason


class Resume(Command):
    """The desk lifts a hold."""

    tranche: PositiveCount


HoldCommand = Hold | Resume


def decide_hold(award: Payable, command: HoldCommand, now: Context) -> list[Event]:
    """What a command says to one part of an accepted award."""
    tranche = find(award, command.tranche)
    match command:
        case Hold(reason_code="renounced"):  # hers alone: the policy of its route
            return _hold(award, tranche, "renounced")
        case Hold():
            bar(award.person_id, award.helped_by, now)
            return _hold(award, tranche, command.reason_code)
        case Resume():
            bar(award.person_id, award.helped_by, now)
            return _resume(award, tranche)


def _hold(award: Payable, tranche: Tranche, reason: DeskReason | OwnReason) -> list[Event]:
    if tranche.goes_on:
        return [held(award, tranche, reason)]
    match tranche.status:
        case "held" if tranche.hold == reason:
            return []
        case "held":
            raise Refused("tranche-on-hold")
        case "sent":
            raise Refused("tranche-payment-sent")
    raise ended(tranche)


def _resume(award: Payable, tranche: Tranche) -> list[Event]:
    if tranche.status == "returned":
        raise ended(tranche)
    if tranche.status != "held":
        return []
    if tranche.goes_on:
        raise Refused("tranche-not-ready")  # its certificate will end the hold
    resumed = TrancheResumed(
        person_id=award.person_id,
        award_id=award.id,
        tranche=tranche.number,
        amount=tranche.amount,
    )
    return [resumed, ready(award, tranche)] if tranche.met else [resumed]
