"""How the peers were tuned: each setting that matters, tried in turn; medians.

FastAPI is compared at the best that a sweep found. By hand is compared at 500 a batch, which is
what Telar commits at most, and FastStream at 1, 4 and 8 workers, whatever is best here.
"""

from statistics import median
from typing import Any

from bench import log
from bench.client import drive
from bench.feed import Load
from bench.measures.consume import one
from bench.measures.http import CONNECTIONS, orders
from bench.plan import Plan
from bench.sides import (
    BY_HAND,
    FASTAPI,
    FASTSTREAM,
    FASTSTREAM_4,
    FASTSTREAM_8,
    Side,
    running,
)
from bench.stage import Stage, ready
from bench.work import SOURCE, SOURCE_TOPIC

BATCHES, WORKERS = ("200", "500", "1000", "2000"), ("1", "4", "8", "16")
POOLS = (
    *(("uvloop", pool) for pool in ("8", "16", "32", "64", "128")),
    ("asyncio", FASTAPI.environment["BENCH_POOL"]),
)
COMPARED = {
    "by hand, batch": [BY_HAND.environment["BENCH_BATCH"]],
    "FastStream, workers": [
        "1",
        *(side.environment["BENCH_WORKERS"] for side in (FASTSTREAM_4, FASTSTREAM_8)),
    ],
    "FastAPI + Motor": ["{BENCH_LOOP}, pool {BENCH_POOL}".format_map(FASTAPI.environment)],
}
"""The settings at which the other measures run."""

Rates = dict[str, dict[str, list[float]]]


async def measure(stage: Stage, plan: Plan) -> dict[str, Any]:
    """Events a second by hand by batch, FastStream by workers; commands of FastAPI by pool."""
    rates: Rates = {name: {} for name in COMPARED}
    await stage.feed(Load(plan.events, plan.people))
    for _ in range(plan.sweep_rounds):
        for size in BATCHES:
            rate = await _consumes(stage, plan, BY_HAND, {"BENCH_BATCH": size})
            rates["by hand, batch"].setdefault(size, []).append(rate)
        for count in WORKERS:
            rate = await _consumes(stage, plan, FASTSTREAM, {"BENCH_WORKERS": count})
            rates["FastStream, workers"].setdefault(count, []).append(rate)
    await stage.unfeed()
    for _ in range(plan.sweep_rounds):
        for loop, pool in POOLS:
            rate = await _serves(stage, plan, loop, pool)
            rates["FastAPI + Motor"].setdefault(f"{loop}, pool {pool}", []).append(rate)
    middles = {
        name: {setting: median(rounds) for setting, rounds in found.items()}
        for name, found in rates.items()
    }
    return {"rounds": plan.sweep_rounds, "compared": COMPARED, "rates": middles}


async def _consumes(stage: Stage, plan: Plan, side: Side, more: dict[str, str]) -> float:
    seconds = 60.0 if side is BY_HAND else plan.sweep_seconds
    return (await one(stage, side, plan.events, seconds, more))["rate"]


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
