"""Payments: what the bank said of them, entered by the treasury."""

from services.grants.domain.payments import (
    PAYMENTS,
    Confirm,
    Fail,
    FailReason,
    Payment,
    PaymentStatus,
)
from services.grants.routes.policies import STAFF
from services.grants.store import filled
from shared.chassis.http import Intent, Page, Paging, Query, Reply, Router
from shared.chassis.policy import AnyOf, Owner, Role, Self
from shared.model import Do, Frozen
from shared.types import Code, Id, Moment, PositiveCentavos, PositiveCount

router = Router(tags=["payments"])


class Failure(Frozen):
    """Why the bank sent it back."""

    reason_code: FailReason


class PaymentView(Frozen):
    """A payment as she and staff see it."""

    id: Id
    person_id: Id
    award_id: Id
    tranche: PositiveCount
    amount: PositiveCentavos
    status: PaymentStatus
    reason_code: Code | None
    sent_at: Moment | None

    @classmethod
    def of(cls, payment: Payment) -> "PaymentView":
        """Without who sent it: that is in the audit trail."""
        return cls(**{name: getattr(payment, name) for name in cls.model_fields})


@router.post("/payments/{payment_id}/confirmation", policy=Role("treasurer"))
async def confirm_payment(payment_id: Id, intent: Intent) -> Reply[PaymentView]:
    return await intent.run(Do(PAYMENTS, payment_id, Confirm()), reply=PaymentView.of)


@router.post("/payments/{payment_id}/failure", policy=Role("treasurer"))
async def fail_payment(payment_id: Id, body: Failure, intent: Intent) -> Reply[PaymentView]:
    fail = Fail(reason_code=body.reason_code)
    return await intent.run(Do(PAYMENTS, payment_id, fail), reply=PaymentView.of)


@router.get("/payments/{payment_id}", policy=AnyOf(Owner(PAYMENTS, "person_id"), STAFF))
async def get_payment(payment_id: Id, query: Query) -> PaymentView:
    return PaymentView.of(await query.get(PAYMENTS, payment_id, unknown="payment-unknown"))


@router.get("/payments", policy=STAFF)
async def list_payments(
    query: Query, paging: Paging, status: PaymentStatus = "sent", award_id: Id | None = None
) -> Page[PaymentView]:
    where = filled(status=status, award_id=award_id)
    return await query.page(PAYMENTS, where, paging, of=PaymentView.of, sort="sent_at")


@router.get("/persons/{person_id}/payments", policy=AnyOf(Self("person_id"), STAFF))
async def list_payments_of_person(person_id: Id, query: Query, paging: Paging) -> Page[PaymentView]:
    return await query.page(PAYMENTS, {"person_id": person_id}, paging, of=PaymentView.of)
