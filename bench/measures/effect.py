"""From a commit in one service to the commit of its effect in the next, at half load.

Against the pipe alone: a record sent until a bare consumer sees it, and one transaction then.
"""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from prometheus_client.parser import text_string_to_metric_families
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from bench import log
from bench.client import drive, steadily
from bench.feed import Load, records
from bench.measures.http import CONNECTIONS, orders
from bench.measures.pair import pair
from bench.plan import Plan
from bench.stage import Stage

PARTS = {"publish": ("source", "telar_publish_seconds"), "commit": ("sink", "telar_commit_seconds")}
"""What an effect waits for, as the services' own metrics tell it: from the draft of a commit to the
acknowledgement of its events by Kafka, and one transaction of the next service."""

SAMPLE = 20
"""One record in so many is also given its transaction: the pipe must not stand in its own way."""

BESIDE, SAMPLE_BESIDE = 50.0, 2
"""Records a second of the pipe beside the load, and one in so many with its transaction."""


async def measure(stage: Stage, plan: Plan) -> dict[str, Any]:
    """Both services at half of what they do together, alone and beside a slow pipe; then the pipe
    alone at the same rate.
    """
    rounds: list[dict[str, float]] = []
    for _ in range(max(1, plan.rounds // 2)):
        full, delays, parts, beside = await _services(stage, plan)
        seen, paid = await _pipe(stage, full / 2, plan.effect_seconds, SAMPLE)
        rounds.append(
            {
                "rate": round(full / 2, 1),
                **_percentiles("effect", delays),
                **parts,
                **_percentiles("pipe", paid),
                **_percentiles("record", seen),
                **_percentiles("beside", beside),
            }
        )
    return {"unit": "ms", "rounds": rounds}


async def _services(
    stage: Stage, plan: Plan
) -> tuple[float, list[float], dict[str, float], list[float]]:
    causes, effects = (stage.place.folder / name for name in ("source.trace", "sink.trace"))
    traced = ({"BENCH_TRACE": str(trace)} for trace in (causes, effects))
    async with pair(stage, *traced) as (source, sink):
        url = source.url
        await drive(url, orders(stage, plan.commands // 6), CONNECTIONS)
        full = (await drive(url, orders(stage, plan.commands // 2), CONNECTIONS)).summary()["rate"]
        await asyncio.sleep(2)
        urls = {"source": url, "sink": sink.url}
        since, before = time.time(), await _spent(urls)
        count = int(full / 2 * plan.effect_seconds)
        await steadily(url, orders(stage, count), full / 2)
        await asyncio.sleep(2)
        parts, until = _means(before, await _spent(urls)), time.time()
        _, (_, beside) = await asyncio.gather(
            steadily(url, orders(stage, count), full / 2),
            _pipe(stage, BESIDE, plan.effect_seconds, SAMPLE_BESIDE),
        )
        await asyncio.sleep(2)
    delays = _delays(causes, effects, since, until)
    return full, delays, parts, beside


async def _spent(urls: Mapping[str, str]) -> dict[str, tuple[float, float]]:
    """By part, seconds and how often, since the process began."""
    found = {}
    async with httpx2.AsyncClient() as client:
        for part, (service, name) in PARTS.items():
            text = (await client.get(f"{urls[service]}/metrics")).text
            values = {
                sample.name: sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            }
            found[part] = (values[f"{name}_sum"], values[f"{name}_count"])
    return found


def _means(
    before: Mapping[str, tuple[float, float]], after: Mapping[str, tuple[float, float]]
) -> dict[str, float]:
    """The mean of each part in between, in milliseconds."""
    return {
        f"{part}_mean": round((after[part][0] - seconds) / (after[part][1] - times) * 1000, 2)
        for part, (seconds, times) in before.items()
    }


def _delays(source: Path, sink: Path, since: float, until: float) -> list[float]:
    """Seconds from each commit in the window to its effect.

    Both traces are of whole lives, and the window ends seconds before the services do: an effect
    that is not there never came. Raises `RuntimeError` then: the slowest left out would be praise.
    """
    seen = orjson.loads(source.read_bytes())
    committed = {event: at for at, event, _ in seen if since < at < until}
    effects = {cause: at for at, _, cause in orjson.loads(sink.read_bytes())}
    missing = len(committed.keys() - effects.keys())
    if missing or not committed:
        raise RuntimeError(f"{missing} of {len(committed)} commits have no effect")
    return [effects[event] - at for event, at in committed.items()]


async def _pipe(
    stage: Stage, rate: float, seconds: float, sample: int
) -> tuple[list[float], list[float]]:
    """Seconds until each record was seen, and until one in `sample` had its transaction."""
    topic = "bench.pipe"
    await log.create(stage.place.kafka, topic)
    outgoing = list(records(Load(int(rate * seconds), 1000)))
    producer = AIOKafkaProducer(bootstrap_servers=stage.place.kafka, acks="all")
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=stage.place.kafka, auto_offset_reset="earliest"
    )
    await producer.start()
    await consumer.start()
    sent: list[float] = []
    try:
        reading = asyncio.create_task(_read(stage, consumer, sent, len(outgoing), sample))
        began = time.perf_counter()
        for number, one in enumerate(outgoing):
            if (early := began + number / rate - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            sent.append(time.perf_counter())
            headers = [*one.headers, ("number", str(number).encode())]
            await producer.send(topic, one.value, one.key, headers=headers)
        seen, paid = await reading
    finally:
        await asyncio.gather(producer.stop(), consumer.stop())
        await log.delete(stage.place.kafka, topic)
    return seen, paid


async def _read(
    stage: Stage, consumer: AIOKafkaConsumer, sent: list[float], count: int, sample: int
) -> tuple[list[float], list[float]]:
    seen: list[float] = []
    paying: list[asyncio.Task[float]] = []
    await stage.database["bench_pipe"].create_collection("accounts")
    while len(seen) < count:
        one = await consumer.getone()
        number = int(dict(one.headers)["number"])
        seen.append(time.perf_counter() - sent[number])
        if number % sample == 0:
            paying.append(asyncio.create_task(_pay(stage, number, sent[number])))
    paid = list(await asyncio.gather(*paying))
    await stage.database.drop_database("bench_pipe")
    return seen, paid


async def _pay(stage: Stage, number: int, since: float) -> float:
    accounts = stage.database["bench_pipe"]["accounts"]
    async with await stage.database.start_session() as session:
        session.start_transaction(ReadConcern("snapshot"), WriteConcern("majority"))
        await accounts.insert_one({"_id": number}, session=session)
        await session.commit_transaction()
    return time.perf_counter() - since


def _percentiles(name: str, seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        f"{name}_{label}": round(ordered[int(len(ordered) * share)] * 1000, 2)
        for label, share in (("p50", 0.5), ("p99", 0.99))
    }
