"""How the peers were tuned: each setting that matters, tried; the best one is what is compared."""

from typing import Any

from bench import log
from bench.client import drive
from bench.feed import Load
from bench.measures.consume import one
from bench.measures.http import CONNECTIONS, orders
from bench.plan import Plan
from bench.sides import BY_HAND, FASTAPI, FASTSTREAM, running
from bench.stage import Stage, ready
from bench.work import SOURCE, SOURCE_TOPIC

BATCHES, WORKERS, POOLS = ("200", "500", "1000", "2000"), ("1", "4", "8", "16"), ("16", "64", "128")


async def measure(stage: Stage, plan: Plan) -> dict[str, Any]:
    """Events a second by hand by batch, FastStream by workers; FastAPI by pool."""
    await stage.feed(Load(plan.events, plan.people))
    batches = {
        size: (await one(stage, BY_HAND, plan.events, 60.0, {"BENCH_BATCH": size}))["rate"]
        for size in BATCHES
    }
    workers = {
        count: (
            await one(stage, FASTSTREAM, plan.events, plan.sweep_seconds, {"BENCH_WORKERS": count})
        )["rate"]
        for count in WORKERS
    }
    await stage.unfeed()
    settings = [("uvloop", pool) for pool in POOLS] + [("asyncio", POOLS[1])]
    pools = {
        f"{loop}, pool {pool}": await _serves(stage, plan, loop, pool) for loop, pool in settings
    }
    return {"by hand, batch": batches, "FastStream, workers": workers, "FastAPI + Motor": pools}


async def _serves(stage: Stage, plan: Plan, loop: str, pool: str) -> float:
    await stage.drop(SOURCE)
    await log.create(stage.place.kafka, SOURCE_TOPIC)
    more = {"BENCH_POOL": pool, "BENCH_LOOP": loop}
    with running(FASTAPI, stage.place, stage.sink(), more) as process:
        await ready(process)
        await drive(process.url, orders(stage, plan.commands // 6), CONNECTIONS)
        took = await drive(process.url, orders(stage, plan.commands // 3), CONNECTIONS)
    await stage.unfeed()
    return took.summary()["rate"]
