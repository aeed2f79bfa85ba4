"""Memory: while catching up on a backlog, against at rest; and its slope under a steady load."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from bench import log
from bench.client import steadily
from bench.feed import Load, feed, records
from bench.measures.http import orders
from bench.measures.pair import pair
from bench.plan import Plan
from bench.sides import TELAR, Process, running
from bench.stage import Stage, ready
from bench.work import SOURCE, SOURCE_TOPIC

A_SECOND = 100.0
"""Commands a second of the steady load."""

MOST_SECONDS = 300.0


async def measure(stage: Stage, plan: Plan) -> dict[str, Any]:
    """Both."""
    caught_up = await _catch_up(stage, plan.catch_up)
    steady = await _steady(stage, plan.steady_seconds)
    return {"unit": "MiB", "catch_up": caught_up, "steady": steady}


async def _catch_up(stage: Stage, events: int) -> dict[str, float]:
    await stage.drop(SOURCE)
    sink = stage.sink()
    topic = f"telar.{sink}"
    await log.create(stage.place.kafka, SOURCE_TOPIC, topic)
    made, warm = list(records(Load(events, 5_000))), list(records(Load(1_000, 100, prefix="w")))
    async with log.tail(stage.place.kafka, topic) as tail:
        with running(TELAR, stage.place, sink) as process:
            await ready(process)
            await feed(stage.place.kafka, warm)
            await tail.reach(len(warm), 30.0)
            await asyncio.sleep(2)
            rest = process.rss()
            async with sampled([process], 0.2) as samples:
                await feed(stage.place.kafka, made)
                await tail.reach(len(made) + len(warm), MOST_SECONDS)
            peak = max(sizes[0] for _, sizes in samples)
    await stage.unfeed()
    await stage.drop(sink)
    await log.delete(stage.place.kafka, topic)
    return {"events": events, "at_rest": _mib(rest), "peak": _mib(peak)}


async def _steady(stage: Stage, seconds: float) -> dict[str, float]:
    """Both services under one load; the slope of their memory, the first third left out."""
    async with pair(stage) as started, sampled(started, 1.0) as samples:
        count = int(A_SECOND * seconds)
        took = await steadily(started[0].url, orders(stage, count), A_SECOND)
    late = samples[len(samples) // 3 :]
    slopes = {
        f"{name}_percent_an_hour": _percent_an_hour([(at, sizes[n]) for at, sizes in late])
        for n, name in enumerate(("source", "sink"))
    }
    return {"seconds": seconds, "rate": A_SECOND, "failed": took.failed, **slopes}


Samples = list[tuple[float, list[int]]]


@asynccontextmanager
async def sampled(processes: Sequence[Process], every: float) -> AsyncIterator[Samples]:
    """The memory of these processes over the time of the block."""
    samples: Samples = []

    async def look() -> None:
        while True:
            samples.append((time.monotonic(), [process.rss() for process in processes]))
            await asyncio.sleep(every)

    looking = asyncio.create_task(look())
    try:
        yield samples
    finally:
        looking.cancel()


def _percent_an_hour(samples: list[tuple[float, int]]) -> float:
    times, sizes = [at for at, _ in samples], [size for _, size in samples]
    slope = statistics.linear_regression(times, sizes).slope
    return round(slope * 3600 / statistics.mean(sizes) * 100, 2)


def _mib(size: int) -> float:
    return round(size / 2**20, 1)
