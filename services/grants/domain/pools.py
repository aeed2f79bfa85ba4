"""A pool of money: four buckets that only commands move, and the ranked list of who waits for it.

Awards that the pool cannot cover stand in line. Whatever frees money goes to the first in line as
far as it suffices; a smaller award never overtakes a larger one that came before it.
"""

from datetime import datetime, timedelta

from shared.events.grants import (
    Balances,
    FundsCommitted,
    FundsDisbursed,
    FundsReleased,
    FundsReserved,
    FundsReturned,
    PoolIncreased,
    PoolOpened,
    PoolReduced,
)
from shared.model import Aggregate, Command, Context, Event, Frozen, Refused, Tick, Unknown
from shared.types import MAX_COUNT, MAX_MONEY, Centavos, Id, Moment, PositiveCentavos, PositiveCount

MAX_WAITING = 5_000
"""The list is part of one document, which has a largest size."""

PROMOTED_AT_ONCE = 50
"""One intent promotes no more than these; the clock asks for the next."""

PAUSE = timedelta(milliseconds=50)


class Waiting(Frozen):
    """An approved award that the pool could not cover yet. A rank is given once."""

    award_id: Id
    amount: PositiveCentavos
    rank: PositiveCount


class Pool(Frozen):
    """What is available, reserved, committed and disbursed, and who waits.

    `opening`: what it began with; not known of those that are older than the field.
    """

    id: Id
    opening: Centavos | None = None
    balances: Balances
    waiting: tuple[Waiting, ...] = ()
    last_rank: int = 0
    promote_at: Moment | None = None

    @property
    def total(self) -> int:
        """All that was ever put in and not taken out again."""
        money = self.balances
        return money.available + money.reserved + money.committed + money.disbursed


class OpenPool(Command):
    pool_id: Id
    amount: Centavos


class Increase(Command):
    amount: PositiveCentavos


class Reduce(Command):
    amount: PositiveCentavos


class Reserve(Command):
    """An award was approved: hold its money, or put it in line."""

    award_id: Id
    amount: PositiveCentavos


class Leave(Command):
    """An award no longer stands in line."""

    award_id: Id


class Move(Command):
    """Money of one award goes from one bucket to the next, or back."""

    award_id: Id
    amount: PositiveCentavos


class Release(Move):
    """What was held for an offer is available again."""


class Commit(Move):
    """She accepted: what was held is promised."""


class Disburse(Move):
    """The bank paid: what was promised has left."""


class Return(Move):
    """What was promised will not be paid."""


class AwardQueued(Event):
    """An award stands at the end of the line."""

    award_id: Id
    amount: PositiveCentavos
    rank: PositiveCount


class AwardUnqueued(Event):
    """An award left the line before its turn."""

    award_id: Id


class PromotionPaused(Event):
    """More of the line can be promoted, in another intent; without an instant none is left."""

    resume_at: Moment | None


PoolCommand = OpenPool | Increase | Reduce | Reserve | Leave | Move | Tick


def decide(pool: Pool | None, command: PoolCommand, now: Context) -> list[Event]:
    match pool, command:
        case None, OpenPool(amount=amount):
            balances = Balances(available=amount)
            return [PoolOpened(pool_id=command.pool_id, amount=amount, balances=balances)]
        case None, _:
            raise Unknown("pool-unknown")
        case Pool(), OpenPool(amount=amount):
            if amount != pool.opening:
                raise Refused("pool-exists")
            return []
        case Pool(), Increase() | Reduce():
            return _resize(pool, command, now)
        case Pool(), Reserve():
            return _reserve(pool, command)
        case Pool(), Leave() if any(one.award_id == command.award_id for one in pool.waiting):
            left = AwardUnqueued(award_id=command.award_id)
            return [left, *_promote(_evolved(pool, left), now)]
        case Pool(), Move():
            moved = _move(pool, command)
            return [moved, *_promote(_evolved(pool, moved), now)]
        case Pool(promote_at=datetime() as at), Tick() if now.at >= at:
            return _promote(pool, now)
    return []


def _resize(pool: Pool, command: Increase | Reduce, now: Context) -> list[Event]:
    if isinstance(command, Reduce):
        balances = _shift(pool, available=-command.amount)
        return [PoolReduced(pool_id=pool.id, amount=command.amount, balances=balances)]
    if pool.total + command.amount > MAX_MONEY:
        raise Refused("pool-too-large")
    balances = _shift(pool, available=command.amount)
    more = PoolIncreased(pool_id=pool.id, amount=command.amount, balances=balances)
    return [more, *_promote(_evolved(pool, more), now)]


def _reserve(pool: Pool, command: Reserve) -> list[Event]:
    if any(one.award_id == command.award_id for one in pool.waiting):
        return []
    if not pool.waiting and command.amount <= pool.balances.available:
        return [_reserved(pool, command.award_id, command.amount)]
    if len(pool.waiting) >= MAX_WAITING or pool.last_rank >= MAX_COUNT:
        raise Refused("pool-list-full")
    rank = pool.last_rank + 1
    return [AwardQueued(award_id=command.award_id, amount=command.amount, rank=rank)]


def _reserved(pool: Pool, award_id: Id, amount: PositiveCentavos) -> FundsReserved:
    balances = _shift(pool, available=-amount, reserved=amount)
    return FundsReserved(pool_id=pool.id, award_id=award_id, amount=amount, balances=balances)


def _move(pool: Pool, command: Move) -> Event:
    amount = command.amount
    match command:
        case Release():
            kind, balances = FundsReleased, _shift(pool, available=amount, reserved=-amount)
        case Commit():
            kind, balances = FundsCommitted, _shift(pool, reserved=-amount, committed=amount)
        case Disburse():
            kind, balances = FundsDisbursed, _shift(pool, committed=-amount, disbursed=amount)
        case _:
            kind, balances = FundsReturned, _shift(pool, available=amount, committed=-amount)
    return kind(pool_id=pool.id, award_id=command.award_id, amount=amount, balances=balances)


def _shift(pool: Pool, **change: int) -> Balances:
    buckets = pool.balances.model_dump()
    for bucket, amount in change.items():
        if buckets[bucket] + amount < 0:
            raise Refused("pool-money-short", **{bucket: buckets[bucket]})
        buckets[bucket] += amount
    return Balances(**buckets)


def _promote(pool: Pool, now: Context) -> list[Event]:
    """The first in line get their money while it suffices, a page of them at a time."""
    events: list[Event] = []
    while pool.waiting and pool.waiting[0].amount <= pool.balances.available:
        if len(events) == PROMOTED_AT_ONCE:
            return [*events, PromotionPaused(resume_at=now.at + PAUSE)]
        first = pool.waiting[0]
        events.append(_reserved(pool, first.award_id, first.amount))
        pool = _evolved(pool, events[-1])
    return events if pool.promote_at is None else [*events, PromotionPaused(resume_at=None)]


def _evolved(pool: Pool, event: Event) -> Pool:
    return pool.model_copy(update=_changes(pool, event))


def evolve(pool: Pool | None, event: Event) -> Pool | None:
    if isinstance(event, PoolOpened):
        return Pool(id=event.pool_id, opening=event.amount, balances=event.balances)
    return None if pool is None else _evolved(pool, event)


def _changes(pool: Pool, event: Event) -> dict[str, object]:
    match event:
        case FundsReserved():
            return {"balances": event.balances, "waiting": _without(pool, event.award_id)}
        case PoolIncreased() | PoolReduced() | FundsReleased() | FundsCommitted():
            return {"balances": event.balances}
        case FundsDisbursed() | FundsReturned():
            return {"balances": event.balances}
        case AwardQueued():
            last = Waiting(award_id=event.award_id, amount=event.amount, rank=event.rank)
            return {"waiting": (*pool.waiting, last), "last_rank": event.rank}
        case AwardUnqueued():
            return {"waiting": _without(pool, event.award_id)}
        case PromotionPaused():
            return {"promote_at": event.resume_at}
    return {}


def _without(pool: Pool, award_id: Id) -> tuple[Waiting, ...]:
    return tuple(one for one in pool.waiting if one.award_id != award_id)


def due(pool: Pool) -> datetime | None:
    return pool.promote_at


POOLS = Aggregate("pools", Pool, decide, evolve, due)


def exists(pool: Pool | None, _now: Context) -> None:
    """A guard: a round pays out of a pool that is there."""
    if pool is None:
        raise Unknown("pool-unknown")
