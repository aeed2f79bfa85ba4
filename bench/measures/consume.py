"""Events consumed, applied exactly once, follow-up published: a second, by one process."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from bench import log
from bench.feed import Load
from bench.plan import Plan
from bench.sides import (
    BY_HAND,
    FASTSTREAM,
    FASTSTREAM_4,
    FASTSTREAM_8,
    FASTSTREAM_BATCHES,
    ONE_BY_ONE,
    TELAR,
    Process,
    Side,
    running,
)
from bench.stage import START_SECONDS, Stage

FAST = (TELAR, BY_HAND, FASTSTREAM_BATCHES)
SLOW = (FASTSTREAM, FASTSTREAM_4, FASTSTREAM_8, ONE_BY_ONE)
MOST_SECONDS = 120.0
S = TypeVar("S")


async def measure(stage: Stage, plan: Plan) -> dict[str, Any]:
    """Every side in turn, the order turned round each time."""
    await stage.feed(Load(plan.events, plan.people))
    found: dict[str, list[dict[str, float]]] = {side.name: [] for side in (*FAST, *SLOW)}
    for number in range(plan.rounds):
        for side in in_turn([*FAST, *SLOW], number):
            seconds = plan.slow_seconds if side in SLOW else MOST_SECONDS
            found[side.name].append(await one(stage, side, plan.events, seconds))
    await stage.unfeed()
    return {"unit": "events/s", "at_a_batch": 500, "sides": found}


def in_turn(sides: Sequence[S], number: int) -> list[S]:
    """The sides in the order of this round: nobody is always first."""
    turned = number % len(sides)
    return [*sides[turned:], *sides[:turned]]


async def one(
    stage: Stage,
    side: Side,
    events: int,
    seconds: float,
    more: Mapping[str, str] | None = None,
) -> dict[str, float]:
    """One run of one side: what the topic of its follow-ups says, and the processor it took.

    Raises `RuntimeError` if a side never began, or a fast one did not come to the end.
    """
    sink = stage.sink()
    topic = f"telar.{sink}"
    await log.create(stage.place.kafka, topic)
    async with log.tail(stage.place.kafka, topic) as tail:
        with running(side, stage.place, sink, more) as process:
            await tail.reach(1, START_SECONDS)  # its start is not what is measured
            done, used = await worked(tail, process, events, seconds, whole=side not in SLOW)
        seen = await tail.read()
    await stage.drop(sink)
    await log.delete(stage.place.kafka, topic)
    return log.told(seen, used, 0 if side in SLOW else events, done)


async def worked(
    tail: log.Tail, process: Process, events: int, seconds: float, *, whole: bool = True
) -> tuple[int, float]:
    """How many records were there already, and the processor seconds until so many are.

    `whole`: until so many distinct ones are.
    """
    done, before = await tail.count(), process.processor_seconds()
    await tail.until(events, seconds)
    used = process.processor_seconds() - before
    if whole and len(await tail.whole(events, seconds)) > events:
        # What came twice stood for what was to come.
        used = process.processor_seconds() - before
    return done, used
