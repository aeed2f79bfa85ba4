"""Records that come again: each one five times over, whole topics, offsets at nought."""

import asyncio
import hashlib
from typing import Any

from aiokafka import AIOKafkaProducer
from bson import json_util

from tests.faults.runner import scenario
from tests.faults.trial import Trial
from tests.support.cluster import SERVICES
from tests.support.raw import records
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
        await _rewound(trial)
        trial.tally.see("offsets 0", happened=True)
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


async def _doubled(trial: Trial) -> int:
    """Each record five times more, mixed."""
    return await _again(trial, 5, mixed=True)


async def _replayed(trial: Trial) -> int:
    """All topics from the start, in their order."""
    return await _again(trial, 1, mixed=False)


async def _again(trial: Trial, times: int, *, mixed: bool) -> int:
    found: list[Any] = []
    for topic in TOPICS:
        found += await records(trial.cluster.kafka, topic)
    distinct = {(one.topic, one.key, dict(one.headers)["ce_sequence"]): one for one in found}
    copies = [one for one in distinct.values() for _ in range(times)]
    if mixed:
        trial.random.shuffle(copies)
    producer = AIOKafkaProducer(bootstrap_servers=trial.cluster.kafka, linger_ms=5)
    await producer.start()
    try:
        for one in copies:
            await producer.send(
                one.topic, one.value, one.key, partition=one.partition, headers=list(one.headers)
            )
    finally:
        await producer.stop()
    return len(copies)


async def _rewound(trial: Trial) -> None:
    """As if every service had lost how far it had read."""
    names = trial.cluster.instances()
    for name in names:
        await asyncio.to_thread(trial.cluster.terminate, name)
    for service in SERVICES:
        await asyncio.to_thread(trial.outside.set_all, service, "offsets", {"next": 0})
    await asyncio.to_thread(trial.cluster.launch, *names)
    await _read_to_end(trial)


async def _read_to_end(trial: Trial) -> None:
    """Until every service stored the end of every partition that it reads."""
    ends: dict[tuple[str, int], int] = {}
    for topic in TOPICS:
        for one in await records(trial.cluster.kafka, topic):
            place = (topic, one.partition)
            ends[place] = max(ends.get(place, 0), one.offset + 1)

    def behind() -> int:
        left = 0
        for service in SERVICES:
            for one in trial.outside.all(service, "offsets"):
                topic, _, number = str(one["_id"]).rpartition("/")
                left += max(0, ends.get((topic, int(number)), 0) - int(one["next"]))
        return left

    await until(lambda: asyncio.to_thread(behind), lambda left: left == 0, within=600)
