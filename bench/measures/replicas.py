"""A second replica of the sink on the same two cores: nothing is lost; conflicts are counted."""

import asyncio
import re
from contextlib import ExitStack
from typing import Any

import httpx2

from bench import log
from bench.feed import Load
from bench.measures.check import wrong
from bench.plan import Plan
from bench.sides import TELAR, Process, running
from bench.stage import Stage

MOST_SECONDS = 120.0


async def measure(stage: Stage, plan: Plan) -> dict[str, Any]:
    """One process, then two, in turn."""
    found: dict[str, list[dict[str, float]]] = {"1": [], "2": []}
    load = Load(plan.events, plan.people)
    await stage.feed(load)
    for _ in range(max(1, plan.rounds // 2)):
        for count in (1, 2):
            found[str(count)].append(await _one(stage, load, count))
    await stage.unfeed()
    return {"unit": "events/s", "replicas": found}


async def _one(stage: Stage, load: Load, count: int) -> dict[str, float]:
    sink = stage.sink()
    topic = f"telar.{sink}"
    await log.create(stage.place.kafka, topic)
    async with log.tail(stage.place.kafka, topic) as tail:
        with ExitStack() as several:
            started = [
                several.enter_context(running(TELAR, stage.place, sink)) for _ in range(count)
            ]
            await tail.until(load.orders, MOST_SECONDS)
            conflicts = sum(await asyncio.gather(*map(_conflicts, started)))
        seen = await tail.read()
    lost = load.orders - len({(one.key, one.sequence) for one in seen})
    broken = await wrong(stage, f"telar_{sink}", load)
    await stage.drop(sink)
    await log.delete(stage.place.kafka, topic)
    rate = round(log.rate(seen), 1)
    return {"rate": rate, "conflicts": conflicts, "lost": lost, "accounts_wrong": broken}


async def _conflicts(process: Process) -> int:
    async with httpx2.AsyncClient() as client:
        text = (await client.get(process.url + "/metrics")).text
    found = re.search(r"^telar_conflicts_total (\S+)", text, re.MULTILINE)
    return int(float(found[1])) if found else 0
