"""A payment: one attempt to send one tranche to her, and what the bank said."""

from typing import Any, Literal

from shared.events.grants import PaymentConfirmed, PaymentFailed, PaymentSent
from shared.model import Aggregate, Command, Context, Event, Frozen, Refused, Unknown
from shared.types import Code, Id, Moment, PositiveCentavos, PositiveCount

PaymentStatus = Literal["sent", "confirmed", "failed"]

FailReason = Literal[
    "account-unknown", "account-closed", "holder-mismatch", "account-limit", "bank-rejected"
]


class Payment(Frozen):
    """One attempt. A failed one is final: the tranche is paid by another."""

    id: Id
    person_id: Id
    award_id: Id
    tranche: PositiveCount
    amount: PositiveCentavos
    status: PaymentStatus = "sent"
    reason_code: Code | None = None
    sent_by: Id | None = None
    sent_at: Moment | None = None


class Send(Command):
    payment_id: Id
    person_id: Id
    award_id: Id
    tranche: PositiveCount
    amount: PositiveCentavos


class Confirm(Command):
    """The bank says that she has it."""


class Fail(Command):
    """The bank sent it back."""

    reason_code: FailReason


class Dispatched(Event):
    """Who sent it, and when."""

    sent_by: Id
    sent_at: Moment


PaymentCommand = Send | Confirm | Fail


def decide(payment: Payment | None, command: PaymentCommand, now: Context) -> list[Event]:
    match payment, command:
        case None, Send():
            return [PaymentSent(**dict(command)), Dispatched(sent_by=now.actor, sent_at=now.at)]
        case None, _:
            raise Unknown("payment-unknown")
        case Payment(status="sent"), Confirm():
            return [PaymentConfirmed(**_who(payment))]
        case Payment(status="sent"), Fail():
            return [PaymentFailed(**_who(payment), reason_code=command.reason_code)]
        case Payment(status="failed"), Confirm():
            raise Refused("payment-was-failed")
        case Payment(status="confirmed"), Fail():
            raise Refused("payment-was-confirmed")
    return []


def _who(payment: Payment) -> dict[str, Any]:
    ids = {"payment_id": payment.id, "person_id": payment.person_id, "award_id": payment.award_id}
    return {**ids, "tranche": payment.tranche, "amount": payment.amount}


def evolve(payment: Payment | None, event: Event) -> Payment | None:
    match payment, event:
        case _, PaymentSent():
            return Payment(
                id=event.payment_id,
                person_id=event.person_id,
                award_id=event.award_id,
                tranche=event.tranche,
                amount=event.amount,
            )
        case Payment(), Dispatched():
            return payment.model_copy(update=dict(event))
        case Payment(), PaymentConfirmed():
            return payment.model_copy(update={"status": "confirmed"})
        case Payment(), PaymentFailed(reason_code=reason):
            return payment.model_copy(update={"status": "failed", "reason_code": reason})
    return payment


PAYMENTS = Aggregate("payments", Payment, decide, evolve)
