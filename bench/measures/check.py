"""The same check for every side: orders sent twice, the process killed midway; all applied once.

A side that fails it has no business in the comparison.
"""

import asyncio
from typing import Any

from bench import log
from bench.client import Request, connection
from bench.feed import Load, feed, records
from bench.measures.http import orders
from bench.plan import Plan
from bench.sides import (
    BY_HAND,
    FASTAPI,
    FASTSTREAM,
    FASTSTREAM_8,
    ONE_BY_ONE,
    TAKES,
    TELAR,
    Side,
    start,
)
from bench.stage import Stage, ready
from bench.work import SOURCE, SOURCE_TOPIC

KILLS = 1
MOST_SECONDS = 90.0
COMMANDS = 200


async def measure(stage: Stage, plan: Plan) -> dict[str, Any]:
    """Every side once."""
    found: dict[str, dict[str, int]] = {}
    for side, load in [
        *((one, Load(5_000, 500)) for one in (TELAR, BY_HAND)),
        *((one, Load(600, 100)) for one in (FASTSTREAM, FASTSTREAM_8, ONE_BY_ONE)),
    ]:
        found[side.name] = await _consumes(stage, side, load)
    for side in (TAKES, FASTAPI):
        found[f"{side.name}, HTTP"] = await _takes(stage, side)
    return {"kills": KILLS, "sides": found}


async def _consumes(stage: Stage, side: Side, load: Load) -> dict[str, int]:
    await log.create(stage.place.kafka, SOURCE_TOPIC)
    made = list(records(load))
    half = len(made) // 2
    await feed(stage.place.kafka, [*made[:half], *made[:half], *made[half:], *made[half:]])
    sink = stage.sink()
    topic = f"telar.{sink}"
    await log.create(stage.place.kafka, topic)
    async with log.tail(stage.place.kafka, topic) as tail:
        for kill in range(1, KILLS + 1):
            process = start(side, stage.place, sink)
            await tail.until(load.orders * kill // (KILLS + 2), MOST_SECONDS)
            process.kill()
        process = start(side, stage.place, sink)
        try:
            distinct = await _all(tail, load.orders)
        finally:
            process.stop()
    broken = await wrong(stage, f"telar_{sink}", load)
    await stage.drop(sink)
    await stage.unfeed()
    await log.delete(stage.place.kafka, topic)
    return {"orders": load.orders, "followed_up": distinct, "accounts_wrong": broken}


async def _all(tail: log.Tail, count: int) -> int:
    """Wait until every follow-up stands in the topic at least once; how many do."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + MOST_SECONDS
    while True:
        await tail.until(count, MOST_SECONDS)
        distinct = len({(one.key, one.sequence) for one in await tail.read()})
        if distinct >= count or loop.time() > deadline:
            return distinct
        await asyncio.sleep(0.5)


async def wrong(stage: Stage, database: str, load: Load) -> int:
    """Accounts that are not what their orders, each once and in order, make of them."""
    found = await stage.database[database].accounts.find().to_list(None)
    left = load.people - len(found)
    expected = {load.orders // load.people, -(-load.orders // load.people)}
    right = {count: load.check(count) for count in expected}
    bad = [one for one in found if right.get(one["orders"]) != one["check"]]
    missing = load.orders - sum(one["orders"] for one in found)
    return len(bad) + max(0, left) + abs(missing)


async def _takes(stage: Stage, side: Side) -> dict[str, int]:
    await stage.drop(SOURCE)
    await log.create(stage.place.kafka, SOURCE_TOPIC)
    asked = list(orders(stage, COMMANDS, people=20))
    sink = stage.sink()
    for _ in range(KILLS):
        process = start(side, stage.place, sink)
        await ready(process)
        sending = asyncio.create_task(_send(process.url, asked))
        await asyncio.wait({sending}, timeout=0.5)
        process.kill()
        await asyncio.gather(sending, return_exceptions=True)
    process = start(side, stage.place, sink)
    try:
        await ready(process)
        for _ in range(2):
            await _send(process.url, asked)
    finally:
        process.stop()
    buyers = await stage.database[f"telar_{SOURCE}"].buyers.find().to_list(None)
    await stage.drop(SOURCE)
    await stage.unfeed()
    return {"commands": COMMANDS, "effects": sum(one["orders"] for one in buyers)}


async def _send(url: str, asked: list[Request]) -> None:
    async with connection(url) as mine:
        for request in asked:
            await mine.ask(request)
