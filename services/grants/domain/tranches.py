"""The tranches of an accepted award: what each waits for, and how far its payment came.

A tranche may wait for the certificate of a course. Until it is paid, losing that certificate or
leaving the programme holds it, and so do people (`holds`); one that was paid is only marked, for
a person to look at.
"""

from typing import Any, Literal

from services.grants.domain.rounds import Part
from services.grants.domain.separation import bar
from shared.events.grants import TrancheHeld, TrancheReady, TrancheResumed
from shared.model import Command, Context, Event, Forbidden, Frozen, Refused, Unknown
from shared.types import Count, Flag, Id, PositiveCentavos, PositiveCount

TrancheStatus = Literal["planned", "ready", "held", "sent", "paid", "returned"]

TrancheState = TrancheStatus | Literal["questioned"]

DeskReason = Literal[
    "account-unusable",
    "condition-overdue",
    "course-not-given",
    "documents-in-doubt",
    "requirement-in-doubt",
]
"""Why staff stop what was not sent yet."""

OwnReason = Literal["renounced"]

HoldReason = DeskReason | OwnReason | Literal["completion-revoked", "enrolment-withdrawn"]


class Tranche(Part):
    """One part of an award. `met`: nothing is missing; `hold`: why it may not be paid now."""

    met: Flag
    status: TrancheStatus = "planned"
    hold: HoldReason | None = None
    attempts: Count = 0
    payment_id: Id | None = None

    @property
    def states(self) -> set[TrancheState]:
        """By which it is found; `questioned`: paid, and its certificate did not stand."""
        lost = self.status == "paid" and not self.met
        return {self.status, "questioned"} if lost else {self.status}

    @property
    def goes_on(self) -> bool:
        """Whether it is ready, or will be with its certificate alone."""
        revoked = self.status == "held" and self.hold == "completion-revoked"
        return self.status in ("planned", "ready") or revoked


class Payable(Frozen):
    """What the tranches of an award need to know of it.

    `stopped`: she left the programme. `helped_by`: who applied for her.
    """

    id: Id
    person_id: Id
    pool_id: Id
    tranches: tuple[Tranche, ...]
    stopped: Flag = False
    proposed_by: Id
    approved_by: Id | None = None
    helped_by: Id | None = None


class Credit(Command):
    """She is certified in these courses."""

    course_ids: tuple[Id, ...]


class Uncredit(Command):
    """Her certificate of a course did not stand."""

    course_id: Id


class Pay(Command):
    """A treasurer orders the payment of a tranche."""

    tranche: PositiveCount


class MarkPaid(Command):
    payment_id: Id


class MarkFailed(Command):
    payment_id: Id


class ReturnMoney(Command):
    """A held tranche will not be paid: its money goes back to the pool."""

    tranche: PositiveCount


class ConditionMet(Event):
    """The certificate that a tranche waits for is there."""

    tranche: PositiveCount


class ConditionUnmet(Event):
    """The certificate that a tranche waited for is gone."""

    tranche: PositiveCount


class PaymentOrdered(Event):
    """A payment of a tranche is to be sent."""

    payment_id: Id
    award_id: Id
    person_id: Id
    tranche: PositiveCount
    amount: PositiveCentavos


class TranchePaid(Event):
    """The bank confirmed the payment of a tranche."""

    pool_id: Id
    award_id: Id
    tranche: PositiveCount
    amount: PositiveCentavos


class TrancheReturned(Event):
    """The money of a held tranche goes back."""

    pool_id: Id
    award_id: Id
    tranche: PositiveCount
    amount: PositiveCentavos


TrancheCommand = Credit | Uncredit | Pay | MarkPaid | MarkFailed | ReturnMoney


def decide_tranches(award: Payable, command: TrancheCommand, now: Context) -> list[Event]:
    """What a command says to the tranches of an accepted award."""
    match command:
        case Credit():
            gained = [t for t in award.tranches if not t.met and t.course_id in command.course_ids]
            return [event for tranche in gained for event in _credit(award, tranche)]
        case Uncredit():
            lost = [t for t in award.tranches if t.met and t.course_id == command.course_id]
            return [event for tranche in lost for event in _uncredit(award, tranche)]
        case Pay():
            return _pay(award, find(award, command.tranche), now)
        case ReturnMoney():
            bar(award.person_id, award.helped_by, now)
            return _return(award, find(award, command.tranche))
        case MarkPaid() | MarkFailed():
            _third_person(award, now)  # who says what the bank did: in the intent of the payment
            sent = [t for t in award.tranches if t.status == "sent"]
            ours = [t for t in sent if t.payment_id == command.payment_id]
            return [_marked(award, tranche, command) for tranche in ours]


def ready(award: Payable, tranche: Tranche) -> TrancheReady:
    """It can be paid."""
    return TrancheReady(
        person_id=award.person_id,
        award_id=award.id,
        tranche=tranche.number,
        amount=tranche.amount,
    )


def held(award: Payable, tranche: Tranche, reason: HoldReason) -> TrancheHeld:
    """It may not be paid."""
    return TrancheHeld(
        person_id=award.person_id,
        award_id=award.id,
        tranche=tranche.number,
        amount=tranche.amount,
        reason_code=reason,
    )


def hold_unpaid(award: Payable) -> list[Event]:
    """She left the programme: nothing that is not on its way to her is paid any more.

    What a person has stopped keeps its reason.
    """
    waiting = [tranche for tranche in award.tranches if tranche.goes_on]
    return [held(award, tranche, "enrolment-withdrawn") for tranche in waiting]


def find(award: Payable, number: int) -> Tranche:
    """The tranche of this number."""
    found = [tranche for tranche in award.tranches if tranche.number == number]
    if not found:
        raise Unknown("tranche-unknown")
    return found[0]


def ended(tranche: Tranche) -> Refused:
    """Why nothing happens any more to one that was paid or returned."""
    paid = tranche.status == "paid"
    return Refused("tranche-already-paid" if paid else "tranche-money-returned")


def _credit(award: Payable, tranche: Tranche) -> list[Event]:
    met = ConditionMet(tranche=tranche.number)
    return [met, ready(award, tranche)] if tranche.goes_on else [met]


def _uncredit(award: Payable, tranche: Tranche) -> list[Event]:
    unmet = ConditionUnmet(tranche=tranche.number)
    if tranche.status == "ready":
        return [unmet, held(award, tranche, "completion-revoked")]
    return [unmet]


def _pay(award: Payable, tranche: Tranche, now: Context) -> list[Event]:
    _third_person(award, now)
    match tranche.status:
        case "sent":
            return []
        case "planned":
            raise Refused("tranche-not-ready")
        case "held":
            raise Refused("tranche-on-hold")
        case "paid" | "returned":
            raise ended(tranche)
    ordered = PaymentOrdered(
        payment_id=f"{award.id}:{tranche.number}:{tranche.attempts + 1}",
        award_id=award.id,
        person_id=award.person_id,
        tranche=tranche.number,
        amount=tranche.amount,
    )
    return [ordered]


def _third_person(award: Payable, now: Context) -> None:
    bar(award.person_id, award.helped_by, now)
    if now.actor in (award.proposed_by, award.approved_by):
        raise Forbidden("payment-needs-third-person")


def _marked(award: Payable, tranche: Tranche, command: MarkPaid | MarkFailed) -> Event:
    if isinstance(command, MarkPaid):
        return TranchePaid(**_money(award, tranche))
    if award.stopped:
        return held(award, tranche, "enrolment-withdrawn")
    return ready(award, tranche) if tranche.met else held(award, tranche, "completion-revoked")


def _return(award: Payable, tranche: Tranche) -> list[Event]:
    if tranche.status == "returned":
        return []
    if tranche.status != "held":
        raise Refused("tranche-not-held")
    return [TrancheReturned(**_money(award, tranche))]


def _money(award: Payable, tranche: Tranche) -> dict[str, Any]:
    place = {"pool_id": award.pool_id, "award_id": award.id}
    return {**place, "tranche": tranche.number, "amount": tranche.amount}


def changes(event: Event) -> tuple[int, dict[str, object]] | None:
    """The tranche that an event speaks of, and what changes in it."""
    match event:
        case ConditionMet():
            return event.tranche, {"met": True}
        case ConditionUnmet():
            return event.tranche, {"met": False}
        case TrancheReady():
            return event.tranche, {"status": "ready", "hold": None}
        case TrancheHeld():
            return event.tranche, {"status": "held", "hold": event.reason_code}
        case TrancheResumed():
            return event.tranche, {"status": "planned", "hold": None}
        case PaymentOrdered():
            attempts = int(event.payment_id.rpartition(":")[2])
            ordered = {"payment_id": event.payment_id, "attempts": attempts}
            return event.tranche, {"status": "sent", **ordered}
        case TranchePaid():
            return event.tranche, {"status": "paid"}
        case TrancheReturned():
            return event.tranche, {"status": "returned"}
    return None
