"""The facts that the grants service publishes: money pools, applications, awards, payments."""

from pydantic import BaseModel, ConfigDict

from shared.model import Event
from shared.types import Centavos, Code, Id, Moment, PositiveCentavos, PositiveCount


class Balances(BaseModel):
    """The four buckets of a pool, in centavos; only an increase or a reduction changes the sum."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    available: Centavos = 0
    reserved: Centavos = 0
    committed: Centavos = 0
    disbursed: Centavos = 0


class PoolOpened(Event, type="telar.grants.pool-opened.v1", key="pool_id"):
    """A pool of money exists."""

    pool_id: Id
    amount: Centavos
    balances: Balances


class PoolIncreased(Event, type="telar.grants.pool-increased.v1", key="pool_id"):
    """Money was added to what a pool has available."""

    pool_id: Id
    amount: PositiveCentavos
    balances: Balances


class PoolReduced(Event, type="telar.grants.pool-reduced.v1", key="pool_id"):
    """Available money left a pool."""

    pool_id: Id
    amount: PositiveCentavos
    balances: Balances


class FundsReserved(Event, type="telar.grants.funds-reserved.v1", key="pool_id"):
    """Available money is held for an approved award until she answers."""

    pool_id: Id
    award_id: Id
    amount: PositiveCentavos
    balances: Balances


class FundsReleased(Event, type="telar.grants.funds-released.v1", key="pool_id"):
    """Money held for an award is available again."""

    pool_id: Id
    award_id: Id
    amount: PositiveCentavos
    balances: Balances


class FundsCommitted(Event, type="telar.grants.funds-committed.v1", key="pool_id"):
    """She accepted: the money that was held is promised to her."""

    pool_id: Id
    award_id: Id
    amount: PositiveCentavos
    balances: Balances


class FundsDisbursed(Event, type="telar.grants.funds-disbursed.v1", key="pool_id"):
    """The bank confirmed a payment: promised money has left."""

    pool_id: Id
    award_id: Id
    amount: PositiveCentavos
    balances: Balances


class FundsReturned(Event, type="telar.grants.funds-returned.v1", key="pool_id"):
    """Promised money that will not be paid is available again."""

    pool_id: Id
    award_id: Id
    amount: PositiveCentavos
    balances: Balances


class ApplicationSubmitted(Event, type="telar.grants.application-submitted.v1", key="person_id"):
    """She asked for seed capital in a round."""

    person_id: Id
    application_id: Id
    round_id: Id
    amount: PositiveCentavos


class ApplicationWithdrawn(Event, type="telar.grants.application-withdrawn.v1", key="person_id"):
    """Her application no longer counts, by her choice or because she left the programme."""

    person_id: Id
    application_id: Id
    round_id: Id
    amount: PositiveCentavos


class AwardProposed(Event, type="telar.grants.award-proposed.v1", key="person_id"):
    """Somebody proposes to give her this amount."""

    person_id: Id
    award_id: Id
    application_id: Id
    pool_id: Id
    amount: PositiveCentavos


class GrantApproved(Event, type="telar.grants.grant-approved.v1", key="person_id"):
    """A second person approved the award; money is held for it, or it waits in rank."""

    person_id: Id
    award_id: Id
    application_id: Id
    pool_id: Id
    amount: PositiveCentavos


class AwardOffered(Event, type="telar.grants.award-offered.v1", key="person_id"):
    """Money is held for her and she is asked to accept before the offer expires."""

    person_id: Id
    award_id: Id
    round_id: Id
    amount: PositiveCentavos
    expires_at: Moment


class AwardWaitlisted(Event, type="telar.grants.award-waitlisted.v1", key="person_id"):
    """The pool has too little for her approved award; she has this rank in its wait list."""

    person_id: Id
    award_id: Id
    round_id: Id
    amount: PositiveCentavos
    rank: PositiveCount


class AwardPromoted(Event, type="telar.grants.award-promoted.v1", key="person_id"):
    """Off the wait list: money is held for her and the offer has its own clock."""

    person_id: Id
    award_id: Id
    round_id: Id
    amount: PositiveCentavos
    expires_at: Moment


class AwardAccepted(Event, type="telar.grants.award-accepted.v1", key="person_id"):
    """She accepted the offer in time."""

    person_id: Id
    award_id: Id
    round_id: Id
    amount: PositiveCentavos


class AwardOfferExpired(Event, type="telar.grants.award-offer-expired.v1", key="person_id"):
    """She did not answer in time; the money goes to the next in rank."""

    person_id: Id
    award_id: Id
    round_id: Id
    amount: PositiveCentavos


class AwardCancelled(Event, type="telar.grants.award-cancelled.v1", key="person_id"):
    """The award ended before she accepted it."""

    person_id: Id
    award_id: Id
    round_id: Id
    amount: PositiveCentavos
    reason_code: Code


class TrancheReady(Event, type="telar.grants.tranche-ready.v1", key="person_id"):
    """What a part of the award waited for is true; it can be paid."""

    person_id: Id
    award_id: Id
    tranche: PositiveCount
    amount: PositiveCentavos


class TrancheHeld(Event, type="telar.grants.tranche-held.v1", key="person_id"):
    """A part of the award that was not paid yet may not be paid for now."""

    person_id: Id
    award_id: Id
    tranche: PositiveCount
    amount: PositiveCentavos
    reason_code: Code


class TrancheResumed(Event, type="telar.grants.tranche-resumed.v1", key="person_id"):
    """A hold was lifted: the part is ready at once, or waits for its condition again."""

    person_id: Id
    award_id: Id
    tranche: PositiveCount
    amount: PositiveCentavos


class PaymentSent(Event, type="telar.grants.payment-sent.v1", key="person_id"):
    """The treasury ordered the payment of a tranche."""

    person_id: Id
    payment_id: Id
    award_id: Id
    tranche: PositiveCount
    amount: PositiveCentavos


class PaymentConfirmed(Event, type="telar.grants.payment-confirmed.v1", key="person_id"):
    """The bank confirmed the payment of a tranche."""

    person_id: Id
    payment_id: Id
    award_id: Id
    tranche: PositiveCount
    amount: PositiveCentavos


class PaymentFailed(Event, type="telar.grants.payment-failed.v1", key="person_id"):
    """The bank sent the payment back; the tranche can be paid again."""

    person_id: Id
    payment_id: Id
    award_id: Id
    tranche: PositiveCount
    amount: PositiveCentavos
    reason_code: Code
