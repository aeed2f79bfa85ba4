"""What must add up: each pool against what the outbox says was put in and taken out of it."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from services.grants.domain.pools import POOLS, Pool
from shared.chassis import streams
from shared.chassis.batch import state_of
from shared.chassis.envelope import Envelope
from shared.chassis.operations import Finding
from shared.chassis.ports import Store
from shared.events.grants import Balances, PoolIncreased, PoolOpened, PoolReduced
from shared.model import EVENT_TYPES

TOPIC = "telar.grants"

_POOLS, _EVENTS = 100, 500


class Told(NamedTuple):
    """What the facts of a pool come to: all that it was given, and its buckets at the end."""

    given: int
    balances: Balances | None


async def check_pools(store: Store) -> list[Finding]:
    """No bucket below zero, and the facts of a pool come to its state."""
    return [
        Finding(code=code, subject=pool_id)
        async for pool_id in _pools(store)
        for code in await _check(store, pool_id)
    ]


async def _check(store: Store, pool_id: str) -> list[str]:
    """The pool and its head are of one instant: what is committed later is not summed."""
    async with store.snapshot() as snapshot:
        loaded = await snapshot.load({POOLS.name: [pool_id], streams.COLLECTION: [pool_id]})
    found = loaded[POOLS.name][pool_id]
    stream = loaded.get(streams.COLLECTION, {}).get(pool_id) or streams.fresh(pool_id)
    last, _ = streams.head(stream, TOPIC)
    return _compare(state_of(POOLS, found), await _told(store, pool_id, last))


def _compare(pool: Pool, told: Told) -> list[str]:
    return [
        code
        for code, is_wrong in {
            "pool-negative": min(pool.balances.model_dump().values()) < 0,
            "pool-sum-differs": pool.total != told.given,
            "pool-balances-differ": pool.balances != told.balances,
        }.items()
        if is_wrong
    ]


async def _pools(store: Store) -> AsyncIterator[str]:
    after: tuple[str, str] | None = None
    while found := await store.page(POOLS.name, {}, sort="_id", after=after, limit=_POOLS):
        after = found[-1]["_id"], found[-1]["_id"]
        for document in found:
            yield document["_id"]


async def _told(store: Store, pool_id: str, last: int) -> Told:
    given, balances, sequence = 0, None, 0
    while found := await store.resend(TOPIC, pool_id, sequence + 1, last, _EVENTS):
        for event in map(Envelope.from_document, found):
            fact = EVENT_TYPES[event.type].model_validate_json(event.value)
            sequence, balances = event.sequence, getattr(fact, "balances", balances)
            match fact:
                case PoolOpened(amount=amount) | PoolIncreased(amount=amount):
                    given += amount
                case PoolReduced(amount=amount):
                    given -= amount
                case _:
                    pass  # money that moves within the pool
    return Told(given, balances)
