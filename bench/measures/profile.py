"""Where the processor time goes: of an event in a full batch, of a command, of a small batch."""

from contextlib import ExitStack
from typing import Any

from bench import log
from bench.client import drive, steadily
from bench.feed import Load
from bench.measures.http import CONNECTIONS, orders
from bench.measures.pair import pair
from bench.plan import Plan
from bench.profile import sampled
from bench.sides import BY_HAND, FASTAPI, TAKES, TELAR, Side, running
from bench.stage import START_SECONDS, Stage, ready
from bench.work import SOURCE, SOURCE_TOPIC

MOST_SECONDS = 120.0

A_SECOND = 200.0
"""Commands a second of the small batches: less than half of what both services do together."""


async def measure(stage: Stage, plan: Plan) -> dict[str, Any]:
    """Each side once: the shares are steadier than the rates, and nothing is promised of them."""
    events = plan.events * 3
    await stage.feed(Load(events, plan.people))
    found = {
        f"an event, {name}": await _events(stage, side, events)
        for name, side in (("Telar", TELAR), ("by hand", BY_HAND))
    }
    await stage.unfeed()
    for name, side in (("Telar", TAKES), ("FastAPI + Motor", FASTAPI)):
        found[f"a command, {name}"] = await _commands(stage, side, plan.commands * 2)
    return {"unit": "µs of processor time", "of": {**found, **await _small(stage, plan)}}


async def _events(stage: Stage, side: Side, events: int) -> dict[str, Any]:
    """A backlog in full batches."""
    sink = stage.sink()
    topic = f"telar.{sink}"
    await log.create(stage.place.kafka, topic)
    async with log.tail(stage.place.kafka, topic) as tail:
        with running(side, stage.place, sink) as process:
            await tail.reach(1, START_SECONDS)
            with sampled(process) as looked:
                done = await tail.count()
                await tail.reach(events, MOST_SECONDS)
    await stage.drop(sink)
    await log.delete(stage.place.kafka, topic)
    return looked.of_one(events - done)


async def _commands(stage: Stage, side: Side, commands: int) -> dict[str, Any]:
    """As many as 64 connections bring."""
    await stage.drop(SOURCE)
    await log.create(stage.place.kafka, SOURCE_TOPIC)
    with running(side, stage.place, stage.sink()) as process:
        await ready(process)
        await drive(process.url, orders(stage, commands // 6), CONNECTIONS)
        with sampled(process) as looked:
            await drive(process.url, orders(stage, commands), CONNECTIONS)
    await log.delete(stage.place.kafka, SOURCE_TOPIC)
    return looked.of_one(commands)


async def _small(stage: Stage, plan: Plan) -> dict[str, Any]:
    """Both services of an effect, at a load that leaves a batch small."""
    async with pair(stage) as started:
        url, count = started[0].url, int(A_SECOND * plan.effect_seconds)
        await drive(url, orders(stage, count // 6), CONNECTIONS)
        with ExitStack() as looking:
            looked = [looking.enter_context(sampled(process)) for process in started]
            await steadily(url, orders(stage, count), A_SECOND)
    names = (f"a command at {A_SECOND:g} a second", "its effect in the next service")
    return {name: one.of_one(count) for name, one in zip(names, looked, strict=True)}
