"""Publishing a backlog: commits that no process sent, against aiokafka sending the same bytes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from time import time
from typing import Any

import uuid_utils

from bench import log
from bench.feed import Load, envelopes
from bench.measures.consume import worked
from bench.plan import Plan
from bench.sides import SENDER, TAKES, Side, running
from bench.stage import Stage
from bench.work import SOURCE, SOURCE_TOPIC

A_COMMIT = 500
MOST_SECONDS = 180.0


async def measure(stage: Stage, plan: Plan) -> dict[str, Any]:
    """In turn; both are judged by when the broker had each record."""
    found: dict[str, list[dict[str, float]]] = {TAKES.name: [], SENDER.name: []}
    load = Load(plan.backlog, 5_000)
    for _ in range(plan.backlog_rounds):
        await stage.drop(SOURCE)  # of another measure: a service would look for what Kafka lost
        await _store(stage, load)
        found[TAKES.name].append(await _one(stage, TAKES, load))
        found[SENDER.name].append(await _one(stage, SENDER, load))
    return {"unit": "events/s", "backlog": plan.backlog, "sides": found}


async def _one(stage: Stage, side: Side, load: Load) -> dict[str, float]:
    await log.create(stage.place.kafka, SOURCE_TOPIC)
    more = {"BENCH_EVENTS": str(load.orders), "BENCH_PEOPLE": str(load.people)}
    async with log.tail(stage.place.kafka, SOURCE_TOPIC) as tail:
        with running(side, stage.place, stage.sink(), more) as process:
            await tail.reach(1, MOST_SECONDS)
            done, used = await worked(tail, process, load.orders, MOST_SECONDS)
        seen = await tail.read()
    await stage.unfeed()
    return log.told(seen, used, load.orders, done)


async def _store(stage: Stage, load: Load) -> None:
    """The outbox of a service whose broker was away for a while."""
    outbox = stage.database[f"telar_{SOURCE}"].outbox
    for document in _commits(load):
        await outbox.insert_one(document)


def _commits(load: Load) -> Iterator[dict[str, Any]]:
    past = datetime.fromtimestamp(time(), UTC) - timedelta(minutes=1)
    made = envelopes(load)
    while events := [one.to_document() for one in islice(made, A_COMMIT)]:
        yield {"_id": str(uuid_utils.uuid7()), "at": past, "send_after": past, "events": events}
