"""The same check for every side: orders sent twice, the process killed midway; all applied once.

A side that fails it has no business in the comparison: the run ends there.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson

from bench import log
from bench.client import Request, connection
from bench.feed import Load, feed, records
from bench.measures.http import orders
from bench.plan import Plan
from bench.sides import (
    BY_HAND,
    FASTAPI,
    FASTSTREAM,
    FASTSTREAM_4,
    FASTSTREAM_8,
    FASTSTREAM_BATCHES,
    ONE_BY_ONE,
    TAKES,
    TELAR,
    Side,
    running,
)
from bench.stage import Stage, ready
from bench.work import SOURCE, SOURCE_TOPIC

KILLS = 1
MOST_SECONDS = 90.0
COMMANDS = 200


async def measure(stage: Stage, plan: Plan) -> dict[str, Any]:
    """Every side once. Raises `RuntimeError` at the first that lost, doubled or overtook."""
    found: dict[str, dict[str, int]] = {}
    for side, load in [
        *((one, Load(5_000, 500)) for one in (TELAR, BY_HAND, FASTSTREAM_BATCHES)),
        *((one, Load(600, 100)) for one in (FASTSTREAM, FASTSTREAM_4, FASTSTREAM_8, ONE_BY_ONE)),
    ]:
        found[side.name] = sound(side.name, await _consumes(stage, side, load))
    for side in (TAKES, FASTAPI):
        name = f"{side.name}, HTTP"
        found[name] = sound(name, await _takes(stage, side))
    return {"kills": KILLS, "sides": found}


def sound(name: str, one: dict[str, int]) -> dict[str, int]:
    """It as it is. Raises `RuntimeError` if it was not killed midway, or anything is wrong."""
    if not 0 < one["at_the_kill"] < one["sent"]:
        raise RuntimeError(f"{name} was not killed midway: {one}")
    if one["effects"] != one["sent"] or one["wrong"]:
        raise RuntimeError(f"{name} does other work than was asked: {one}")
    return one


async def _consumes(stage: Stage, side: Side, load: Load) -> dict[str, int]:
    await log.create(stage.place.kafka, SOURCE_TOPIC)
    made = list(records(load))
    half = len(made) // 2
    await feed(stage.place.kafka, [*made[:half], *made[:half], *made[half:], *made[half:]])
    sink = stage.sink()
    topic = f"telar.{sink}"
    await log.create(stage.place.kafka, topic)
    async with log.tail(stage.place.kafka, topic) as tail:
        killed = 0
        for kill in range(1, KILLS + 1):
            with running(side, stage.place, sink) as process:
                await tail.until(load.orders * kill // (KILLS + 2), MOST_SECONDS)
                process.kill()
            killed = len(log.once(await tail.read()))
        with running(side, stage.place, sink):
            distinct = len(log.once(await tail.whole(load.orders, MOST_SECONDS)))
    broken = await wrong(stage, f"telar_{sink}", load)
    await stage.drop(sink)
    await stage.unfeed()
    await log.delete(stage.place.kafka, topic)
    return {"sent": load.orders, "at_the_kill": killed, "effects": distinct, "wrong": broken}


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
    async with log.tail(stage.place.kafka, SOURCE_TOPIC) as tail:
        killed = 0
        for kill in range(1, KILLS + 1):
            with running(side, stage.place, sink) as process:
                await ready(process)
                sending = asyncio.create_task(_send(process.url, asked))
                await tail.until(COMMANDS * kill // (KILLS + 2), MOST_SECONDS)
                process.kill()
            await asyncio.gather(sending, return_exceptions=True)
            killed = len(log.once(await tail.read()))
        with running(side, stage.place, sink) as process:
            await ready(process)
            for _ in range(2):
                await _send(process.url, asked)
            seen = log.once(await tail.whole(COMMANDS, MOST_SECONDS))
    buyers = await stage.database[f"telar_{SOURCE}"].buyers.find().to_list(None)
    await stage.drop(SOURCE)
    await stage.unfeed()
    broken = unlike(asked, seen, {one["_id"]: one["orders"] for one in buyers})
    return {"sent": COMMANDS, "at_the_kill": killed, "effects": len(seen), "wrong": broken}


def unlike(asked: Sequence[Request], seen: Sequence[log.Seen], kept: dict[str, int]) -> int:
    """Orders that were not published once, and people whose state counts others than theirs."""
    published = Counter((one.key, orjson.loads(one.value)["order_id"]) for one in seen)
    wanted = Counter((_person(one), orjson.loads(one.body)["order_id"]) for one in asked)
    differ = {order for order in published | wanted if published[order] != wanted[order]}
    people = Counter(_person(one) for one in asked)
    return len(differ) + sum(people[who] != kept.get(who, 0) for who in people | kept)


def _person(request: Request) -> str:
    """Who orders, by the path."""
    return request.path.split("/")[2]


async def _send(url: str, asked: list[Request]) -> None:
    async with connection(url) as mine:
        for request in asked:
            await mine.ask(request)
