"""The sums that grants holds itself to."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from services.grants.app import SERVICE
from services.grants.checks import check_pools
from services.grants.domain.pools import POOLS, Increase, OpenPool, Reduce
from shared.chassis.clock import Clock
from shared.chassis.memory import MemoryStore
from shared.chassis.ports import Document
from shared.chassis.replies import Idempotency, Stored
from shared.chassis.work import CommandWork
from shared.chassis.writer import Writer
from shared.model import Command, Context, Do

pytestmark = pytest.mark.anyio
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


async def store_with(*commands: Command) -> MemoryStore:
    """A store in which these were done to the pool `seed`."""
    store = MemoryStore()
    await done(store, *commands)
    return store


async def done(store: MemoryStore, *commands: Command) -> None:
    """Do these to the pool `seed`."""
    writer = Writer(store, Clock(store), SERVICE.handlers, lambda *_: None)
    for command in commands:
        context = Context(at=AT, actor="tina", cause=uuid.uuid4().hex, correlation="test")
        once = Idempotency(uuid.uuid4().hex, "digest")
        steps = [Do(POOLS, "seed", command)]
        writer.submit([CommandWork(context, steps, lambda _: Stored(200, b"{}"), once)])
    writer.stop()
    await writer.run()


@pytest.fixture
async def store() -> MemoryStore:
    return await store_with(
        OpenPool(pool_id="seed", amount=500), Increase(amount=300), Reduce(amount=100)
    )


async def test_a_pool_that_adds_up_is_not_mentioned(store: MemoryStore) -> None:
    assert await check_pools(store) == []


@pytest.mark.parametrize(
    ("balances", "codes"),
    [
        ({"available": 600}, ["pool-sum-differs", "pool-balances-differ"]),
        ({"available": 300, "reserved": 400}, ["pool-balances-differ"]),
    ],
)
async def test_a_pool_that_does_not_is_named(
    store: MemoryStore, balances: dict[str, Any], codes: list[str]
) -> None:
    pool: Document = dict(store.all("pools")[0])
    pool["balances"] = {"available": 0, "reserved": 0, "committed": 0, "disbursed": 0} | balances
    store.apply({("pools", "seed"): pool})
    found = await check_pools(store)
    assert [(one.subject, one.code) for one in found] == [("seed", code) for code in codes]


async def test_a_pool_that_moves_all_the_time_is_not_mentioned(store: MemoryStore) -> None:
    for operation in ("load", "get", "get", "get"):
        store.faults.meanwhile(operation, lambda: done(store, Increase(amount=10)), after=True)
    assert await check_pools(store) == []
    assert store.all("pools")[0]["balances"]["available"] > 700, "it moved meanwhile"


async def test_a_moving_pool_that_does_not_add_up_is_named(store: MemoryStore) -> None:
    pool: Document = dict(store.all("pools")[0])
    pool["balances"] = pool["balances"] | {"available": 701}
    store.apply({("pools", "seed"): pool})
    store.faults.meanwhile("resend", lambda: done(store, Increase(amount=10)))
    assert {one.code for one in await check_pools(store)} == {
        "pool-sum-differs",
        "pool-balances-differ",
    }
