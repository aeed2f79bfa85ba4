"""What awards say inside grants only: for their own reactions, never published."""

from services.grants.domain.rounds import Nomination, Terms
from shared.model import Event
from shared.types import Id, PositiveCentavos


class ProposalKept(Event):
    """All that was proposed; only a part is published."""

    nomination: Nomination
    terms: Terms


class ApprovalSigned(Event):
    """Who approved."""

    approved_by: Id


class MoneyBound(Event):
    """Her acceptance makes the money that was held a promise."""

    pool_id: Id
    award_id: Id
    person_id: Id
    amount: PositiveCentavos


class HoldEnded(Event):
    """The money that was held for the award is needed no more."""

    pool_id: Id
    award_id: Id
    amount: PositiveCentavos


class WaitEnded(Event):
    """The award needs its place in line no more."""

    pool_id: Id
    award_id: Id


class AwardStopped(Event):
    """She left the programme after she accepted."""
