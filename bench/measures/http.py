"""HTTP commands: throughput and p99 at 64 connections, and one at a time on an idle service."""

import random
import uuid
from collections.abc import Iterator
from typing import Any

import orjson

from bench import log
from bench.client import Request, drive
from bench.feed import Load
from bench.plan import Plan
from bench.sides import FASTAPI, TAKES, Side, running
from bench.stage import Stage, ready
from bench.work import SOURCE, SOURCE_TOPIC

CONNECTIONS = 64


async def measure(stage: Stage, plan: Plan) -> dict[str, Any]:
    """Both sides in turn; each process is warmed, then loaded, then asked alone."""
    found: dict[str, list[dict[str, float]]] = {TAKES.name: [], FASTAPI.name: []}
    for number in range(plan.rounds):
        for side in (TAKES, FASTAPI) if number % 2 == 0 else (FASTAPI, TAKES):
            found[side.name].append(await one(stage, side, plan))
    return {"unit": "commands/s, ms", "connections": CONNECTIONS, "sides": found}


async def one(stage: Stage, side: Side, plan: Plan) -> dict[str, float]:
    """One process of one side on a database of its own."""
    await stage.drop(SOURCE)
    await log.create(stage.place.kafka, SOURCE_TOPIC)
    with running(side, stage.place, stage.sink()) as process:
        await ready(process)
        await drive(process.url, orders(stage, plan.commands // 6), CONNECTIONS)
        idle = await drive(process.url, orders(stage, plan.idle_commands), 1)
        before = process.processor_seconds()
        loaded = await drive(process.url, orders(stage, plan.commands), CONNECTIONS)
        used = process.processor_seconds() - before
    await log.delete(stage.place.kafka, SOURCE_TOPIC)
    processor = round(used / plan.commands * 1e6, 1)
    return {**loaded.summary(), "idle_p50": idle.at(0.5), "processor_us": processor}


def orders(stage: Stage, count: int, people: int = 5_000) -> Iterator[Request]:
    """Orders of people taken at random, each under an idempotency key of its own."""
    chance, load = random.Random(), Load(0, people)  # noqa: S311  a workload, no secret
    for _ in range(count):
        body = {"order_id": uuid.uuid4().hex, "amount": 1_500_00, "product": "loom-7", "units": 2}
        headers = {
            **stage.authorised(),
            "content-type": "application/json",
            "idempotency-key": uuid.uuid4().hex,
        }
        path = f"/people/{load.person(chance.randrange(people))}/orders"
        yield Request("POST", path, headers, orjson.dumps(body))
