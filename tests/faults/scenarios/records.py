"""Records that come again: each one five times over, whole topics, offsets at nought."""

import asyncio
import hashlib
from typing import Any

from aiokafka import AIOKafkaProducer
from bson import json_util

from tests.faults.checker.outside import SUBSCRIBERS, Outside
from tests.faults.runner import scenario
from tests.faults.trial import Trial
from tests.support.cluster import SERVICES
from tests.support.raw import ends, records
from tests.support.wait import until

TOPICS = [f"telar.{name}" for name in ("enrollment", "training", "grants", "trade")]
PASSING = ("offsets", "requests", "secrets", "duties", "acknowledged", "audit", "handled")
"""Collections that hold no effect of an event."""


@scenario(
    "every record five times more, in any order; whole topics replayed; offsets set to nought",
    quick={"commands": 250, "replays": 1},
    full={"commands": 20_000, "replays": 3},
    bounds=(300.0, 2 * 3600.0),
    idle=True,
)
async def replays(trial: Trial, commands: int, replays: int) -> None:
    """Nothing changes in any database."""
    await trial.programme.open()
    async with trial.load():
        await trial.more(commands, within=3000)
    await trial.settle()
    before = await asyncio.to_thread(fingerprint, trial)
    for _ in range(replays):
        for fault, act in (("duplicates x5", _doubled), ("topics replayed", _replayed)):
            added = await act(trial)
            await _read_to_end(trial)
            trial.tally.see(fault, added)
            await _same(trial, before, fault)
        trial.tally.see("offsets 0", await _rewound(trial))
        await _same(trial, before, "offsets 0")
    await trial.settle(share=0.0)


async def _same(trial: Trial, before: dict[str, str], fault: str) -> None:
    after = await asyncio.to_thread(fingerprint, trial)
    changed = [name for name in before.keys() | after.keys() if before.get(name) != after.get(name)]
    if changed:
        trial.tally.wrong.append(f"{fault} changed {sorted(changed)}")


def fingerprint(trial: Trial) -> dict[str, str]:
    """A hash of every collection that holds effects."""
    found = {}
    for service in SERVICES:
        for name in trial.outside.collections(service):
            if name not in PASSING:
                rows = sorted(trial.outside.all(service, name), key=lambda one: str(one["_id"]))
                text = json_util.dumps(rows).encode()
                found[f"{service}.{name}"] = hashlib.sha256(text).hexdigest()
    return found


async def _doubled(trial: Trial) -> bool:
    """Each record five times more, mixed; whether they are there."""
    return await _again(trial, 5, mixed=True)


async def _replayed(trial: Trial) -> bool:
    """All topics from the start, in their order; whether they are there."""
    return await _again(trial, 1, mixed=False)


async def _again(trial: Trial, times: int, *, mixed: bool) -> bool:
    found: list[Any] = []
    for topic in TOPICS:
        found += await records(trial.cluster.kafka, topic)
    distinct = {(one.topic, one.key, dict(one.headers)["ce_sequence"]): one for one in found}
    copies = [one for one in distinct.values() for _ in range(times)]
    if mixed:
        trial.random.shuffle(copies)
    before = await ends(trial.cluster.kafka, *TOPICS)
    await _sent(trial.cluster.kafka, copies)
    after = await ends(trial.cluster.kafka, *TOPICS)
    return 0 < len(copies) <= sum(after.values()) - sum(before.values())


async def _sent(kafka: str, copies: list[Any]) -> None:
    """Send these, each to the partition where it was; returns when Kafka has all of them."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, linger_ms=5)
    await producer.start()
    try:
        told = [
            await producer.send(
                one.topic, one.value, one.key, partition=one.partition, headers=list(one.headers)
            )
            for one in copies
        ]
        await asyncio.gather(*told)
    finally:
        await producer.stop()


async def _rewound(trial: Trial) -> bool:
    """As if every service had lost how far it had read; whether all of them had."""
    names = trial.cluster.instances()
    for name in names:
        await asyncio.to_thread(trial.cluster.terminate, name)
    for service in SERVICES:
        await asyncio.to_thread(trial.outside.set_all, service, "offsets", {"next": 0})
    ended = await ends(trial.cluster.kafka, *TOPICS)
    is_lost = await asyncio.to_thread(are_at_nought, trial.outside, ended)
    await asyncio.to_thread(trial.cluster.launch, *names)
    await _read_to_end(trial)
    return is_lost


def are_at_nought(outside: Outside, ended: dict[tuple[str, int], int]) -> bool:
    """Whether every reader of a partition that holds anything stored that it read nothing of it."""
    stored = {service: outside.read_up_to(service) for service in SERVICES}
    return any(ended.values()) and all(
        offsets.get(place) == 0
        for service, offsets in stored.items()
        for place in _read_by(service, ended)
    )


def _read_by(service: str, ended: dict[tuple[str, int], int]) -> list[tuple[str, int]]:
    """The partitions with something in them that this service subscribes to."""
    mine = {f"telar.{one}" for one, readers in SUBSCRIBERS.items() if service in readers}
    return [place for place, end in ended.items() if end and place[0] in mine]


async def _read_to_end(trial: Trial) -> None:
    """Until every service stored the end of every partition that it reads."""
    ended = await ends(trial.cluster.kafka, *TOPICS)

    def behind() -> int:
        return sum(_behind(trial.outside, service, ended) for service in SERVICES)

    await until(lambda: asyncio.to_thread(behind), lambda left: left == 0, within=600)


def _behind(outside: Outside, service: str, ended: dict[tuple[str, int], int]) -> int:
    """The records that this service has not read yet, of all partitions that it reads."""
    stored = outside.read_up_to(service)
    return sum(max(0, ended[one] - stored.get(one, 0)) for one in _read_by(service, ended))
