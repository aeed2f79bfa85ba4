"""A round: a call for seed capital. What may be asked for, until when, and how it is paid out."""

from typing import Annotated

from pydantic import Field

from shared.model import Aggregate, Command, Context, Event, Frozen, Refused, Unknown
from shared.types import MAX_MONEY, Id, Moment, PositiveCentavos, PositiveCount

WHOLE = 10_000
"""Shares are in hundredths of a per cent."""

Share = Annotated[int, Field(strict=True, ge=100, le=WHOLE)]
LeastAmount = Annotated[int, Field(strict=True, ge=WHOLE, le=MAX_MONEY)]
OfferSeconds = Annotated[int, Field(strict=True, ge=1, le=90 * 24 * 3600)]


class TranchePlan(Frozen):
    """One part of every award: its share, and the course that must be certified first, if any."""

    share: Share
    course_id: Id | None = None


class Plan(Frozen):
    """What the programme decides about a round before it is announced."""

    pool_id: Id
    opens_at: Moment
    closes_at: Moment
    min_amount: LeastAmount
    max_amount: LeastAmount
    offer_seconds: OfferSeconds
    tranches: Annotated[tuple[TranchePlan, ...], Field(min_length=1, max_length=12)]


class Round(Plan):
    """An announced round."""

    id: Id


class Nomination(Frozen):
    """Somebody wants this amount for this application. `helped_by`: who handed it in for her."""

    application_id: Id
    person_id: Id
    round_id: Id
    amount: PositiveCentavos
    proposed_by: Id
    helped_by: Id | None = None


class Part(Frozen):
    """One tranche of an award before it exists."""

    number: PositiveCount
    amount: PositiveCentavos
    course_id: Id | None = None


class Terms(Frozen):
    """What an award of this round consists of, as it stood when it was proposed."""

    pool_id: Id
    offer_seconds: OfferSeconds
    parts: tuple[Part, ...]


class Announce(Command):
    round_id: Id
    plan: Plan


class TellTerms(Command):
    """Somebody proposes an award of this round."""

    nomination: Nomination


class RoundAnnounced(Event):
    """A round will take applications."""

    round_id: Id
    plan: Plan


class TermsTold(Event):
    """The terms of one proposed award."""

    nomination: Nomination
    terms: Terms


RoundCommand = Announce | TellTerms


def decide(a_round: Round | None, command: RoundCommand, _now: Context) -> list[Event]:
    match a_round, command:
        case None, Announce():
            _check(command.plan)
            return [RoundAnnounced(round_id=command.round_id, plan=command.plan)]
        case None, _:
            raise Unknown("round-unknown")
        case Round(), Announce() if Round(id=a_round.id, **dict(command.plan)) == a_round:
            return []
        case Round(), TellTerms():
            _in_limits(a_round, command.nomination.amount)
            terms = _terms(a_round, command.nomination.amount)
            return [TermsTold(nomination=command.nomination, terms=terms)]
    raise Refused("round-exists")


def _check(plan: Plan) -> None:
    if plan.closes_at <= plan.opens_at:
        raise Refused("round-dates-inverted")
    if plan.max_amount < plan.min_amount:
        raise Refused("round-limits-inverted")
    if sum(part.share for part in plan.tranches) != WHOLE:
        raise Refused("round-shares-not-whole")


def _in_limits(a_round: Round, amount: int) -> None:
    if not a_round.min_amount <= amount <= a_round.max_amount:
        raise Refused("amount-out-of-range")


def _terms(a_round: Round, amount: int) -> Terms:
    """Every part is rounded down; what is left over belongs to the last one."""
    amounts = [amount * plan.share // WHOLE for plan in a_round.tranches]
    amounts[-1] += amount - sum(amounts)
    parts = tuple(
        Part(number=number, amount=part, course_id=plan.course_id)
        for number, (plan, part) in enumerate(zip(a_round.tranches, amounts, strict=True), 1)
    )
    return Terms(pool_id=a_round.pool_id, offer_seconds=a_round.offer_seconds, parts=parts)


def evolve(a_round: Round | None, event: Event) -> Round | None:
    if isinstance(event, RoundAnnounced):
        return Round(id=event.round_id, **dict(event.plan))
    return a_round


ROUNDS = Aggregate("rounds", Round, decide, evolve)


def takes(amount: int, a_round: Round | None, now: Context) -> None:
    """A guard: the round is open and this amount may be asked for."""
    if a_round is None:
        raise Unknown("round-unknown")
    if now.at < a_round.opens_at:
        raise Refused("round-not-open-yet")
    if now.at >= a_round.closes_at:
        raise Refused("round-closed")
    _in_limits(a_round, amount)
