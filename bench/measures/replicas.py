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
    """So many processes at once. Raises `RuntimeError` if one of them had nothing to apply."""
    sink = stage.sink()
    topic = f"telar.{sink}"
    await log.create(stage.place.kafka, topic)
    async with log.tail(stage.place.kafka, topic) as tail:
        with ExitStack() as several:
            started = [
                several.enter_context(running(TELAR, stage.place, sink)) for _ in range(count)
            ]
            seen = await tail.whole(load.orders, MOST_SECONDS)
            texts = await asyncio.gather(*map(_metrics, started))
    applied = [_total(text, "telar_applied_total") for text in texts]
    if not all(applied):
        raise RuntimeError(f"replicas applied {applied}: one had nothing to do")
    conflicts = sum(_total(text, "telar_conflicts_total") for text in texts)
    lost = load.orders - len(log.once(seen))
    broken = await wrong(stage, f"telar_{sink}", load)
    await stage.drop(sink)
    await log.delete(stage.place.kafka, topic)
    rate = round(log.rate(seen), 1)
    return {
        "rate": rate,
        "conflicts": conflicts,
        "lost": lost,
        "accounts_wrong": broken,
        "least_applied": min(applied),
    }


async def _metrics(process: Process) -> str:
    async with httpx2.AsyncClient() as client:
        return (await client.get(process.url + "/metrics")).text


def _total(text: str, name: str) -> int:
    """A counter of a service, over all its labels."""
    found = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
    return int(sum(map(float, found)))
