"""Pools: opened and resized by the treasury, read by staff with their balances."""

from services.grants.domain.awards import AWARDS
from services.grants.domain.pools import POOLS, Increase, OpenPool, Pool, Reduce
from services.grants.routes.awards import AwardView
from services.grants.routes.policies import STAFF, TREASURY
from shared.chassis.http import Intent, Page, Paging, Query, Reply, Router
from shared.events.grants import Balances
from shared.model import Do, Frozen
from shared.types import Centavos, Count, Id, PositiveCentavos

router = Router(tags=["pools"])


class Opening(Frozen):
    """The money that a pool begins with."""

    amount: Centavos


class Change(Frozen):
    """How much goes in, or out."""

    amount: PositiveCentavos


class PoolView(Frozen):
    """Its buckets in centavos, their sum, and how many approved awards wait for money."""

    id: Id
    balances: Balances
    total: Centavos
    waiting: Count

    @classmethod
    def of(cls, pool: Pool) -> "PoolView":
        """How many wait, not who."""
        waiting = len(pool.waiting)
        return cls(id=pool.id, balances=pool.balances, total=pool.total, waiting=waiting)


@router.post("/pools", policy=TREASURY, status=201)
async def open_pool(body: Opening, intent: Intent) -> Reply[PoolView]:
    pool_id = intent.new_id("pool")
    opened = OpenPool(pool_id=pool_id, amount=body.amount)
    return await intent.run(Do(POOLS, pool_id, opened), reply=PoolView.of)


@router.post("/pools/{pool_id}/increase", policy=TREASURY)
async def increase_pool(pool_id: Id, body: Change, intent: Intent) -> Reply[PoolView]:
    return await intent.run(Do(POOLS, pool_id, Increase(amount=body.amount)), reply=PoolView.of)


@router.post("/pools/{pool_id}/reduction", policy=TREASURY)
async def reduce_pool(pool_id: Id, body: Change, intent: Intent) -> Reply[PoolView]:
    """By what is available at most; a refusal says how much that is."""
    return await intent.run(Do(POOLS, pool_id, Reduce(amount=body.amount)), reply=PoolView.of)


@router.get("/pools/{pool_id}", policy=STAFF)
async def get_pool(pool_id: Id, query: Query) -> PoolView:
    return PoolView.of(await query.get(POOLS, pool_id, unknown="pool-unknown"))


@router.get("/pools", policy=STAFF)
async def list_pools(query: Query, paging: Paging) -> Page[PoolView]:
    return await query.page(POOLS, {}, paging, of=PoolView.of)


@router.get("/pools/{pool_id}/wait-list", policy=STAFF)
async def list_awards_waiting_for_pool(
    pool_id: Id, query: Query, paging: Paging
) -> Page[AwardView]:
    where = {"pool_id": pool_id, "status": "waitlisted"}
    return await query.page(AWARDS, where, paging, of=AwardView.of, sort="rank")
