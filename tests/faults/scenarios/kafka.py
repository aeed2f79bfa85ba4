"""Kafka that dies, stays away, comes back with less than it had, or is three."""

import asyncio
import shutil
import time
from pathlib import Path

from tests.faults.runner import scenario
from tests.faults.trial import Trial
from tests.support.cluster import Shape
from tests.support.raw import ends
from tests.support.wait import until

TOPICS = [f"telar.{name}" for name in ("enrollment", "training", "grants", "trade")]
LONG = 180.0
"""Seconds within which a loss has been noticed, by a gap or by the heads, and made up for."""


@scenario(
    "the broker killed again and again, under load",
    quick={"kills": 1},
    full={"kills": 50},
    bounds=(300.0, 2 * 3600.0),
)
async def broker_kills(trial: Trial, kills: int) -> None:
    """Commands go on being taken; their effects come when it is back."""
    await trial.programme.open()
    before = {name: trial.cluster.pid(name) for name in trial.cluster.instances()}
    async with trial.load():
        for _ in range(kills):
            await trial.more(50)
            begun = time.monotonic()
            await asyncio.to_thread(trial.cluster.kill, "kafka")
            trial.tally.see("kill kafka", trial.cluster.exits[-1] == ("kafka", -9))
            await trial.more(20)
            await asyncio.sleep(trial.random.choice((0.0, 1.0, 5.0)))
            await asyncio.to_thread(trial.cluster.launch, "kafka")
            await trial.takes_effect(begun)
    _same_processes(trial, before)
    await trial.settle()


@scenario(
    "the broker away for minutes, under load",
    quick={"seconds": 20, "times": 1},
    full={"seconds": 300, "times": 1},
    bounds=(300.0, 3600.0),
    daily=False,
)
async def broker_away(trial: Trial, seconds: float, times: int) -> None:
    """What was accepted meanwhile takes effect, by the same processes: no producer is stuck."""
    await trial.programme.open()
    before = {name: trial.cluster.pid(name) for name in trial.cluster.instances()}
    taken = 0
    async with trial.load(workers=8):
        for _ in range(times):
            await trial.more(100)
            begun = time.monotonic()
            await asyncio.to_thread(trial.cluster.kill, "kafka")
            accepted = trial.accepted
            await asyncio.sleep(seconds)  # the fault itself: an outage of this length
            trial.tally.see(f"no broker for {seconds} s", not trial.cluster.runs("kafka"))
            taken += trial.accepted - accepted
            back = time.monotonic()
            await asyncio.to_thread(trial.cluster.launch, "kafka")
            await trial.takes_effect(begun)
            trial.tally.notes["after_it_was_back_s"] = round(time.monotonic() - back, 1)
    trial.tally.notes["accepted_meanwhile"] = taken
    if taken < seconds:
        trial.tally.wrong.append(f"only {taken} commands were accepted without a broker")
    _same_processes(trial, before)
    await trial.settle()


@scenario(
    "the broker killed, and back without the end of what it had acknowledged, at rest and under"
    " load",
    quick={"cuts": 1},
    full={"cuts": 5},
    bounds=(420.0, 3600.0),
    daily=False,
)
async def broker_cut_tail(trial: Trial, cuts: int) -> None:
    """Its log segments are cut while it is down.

    What is missing is sent again, also where new records outgrow the cut before anybody looks.
    """
    trial.expected.cut = True
    await trial.programme.open()
    for _ in range(cuts):
        async with trial.load():
            await trial.more(200)
        await trial.settle(share=0.0)
        before = await ends(trial.cluster.kafka, *TOPICS)
        begun = time.monotonic()
        await _back_without_end(trial)
        after = await ends(trial.cluster.kafka, *TOPICS)
        lost = sum(before.values()) - sum(after.values())
        trial.tally.see("tail cut", lost > 0)
        trial.tally.notes["records_lost"] = trial.tally.notes.get("records_lost", 0) + lost
        await trial.takes_effect(begun, within=LONG)
        await _whole(trial, begun)
    async with trial.load():
        for _ in range(cuts):
            await trial.more(100)
            begun = time.monotonic()
            lost = await _back_without_end(trial)
            trial.tally.see("tail cut under load", lost > 0)
            await trial.takes_effect(begun, within=LONG)
            await trial.more(50)
    await trial.settle(within=240.0)
    await _whole(trial, begun)


@scenario(
    "the broker back with nothing at all, at rest and under load",
    quick={"times": 1},
    full={"times": 3},
    bounds=(420.0, 3600.0),
    daily=False,
)
async def broker_empty(trial: Trial, times: int) -> None:
    """Topics are made anew and filled from the outboxes, also where what waited is sent first."""
    trial.expected.cut = True
    await trial.programme.open()
    for _ in range(times):
        async with trial.load():
            await trial.more(150)
        await trial.settle(share=0.0)
        begun = time.monotonic()
        trial.tally.see("empty broker", await _back_with_nothing(trial))
        await trial.takes_effect(begun, within=LONG)
        await _whole(trial, begun)
    async with trial.load():
        for _ in range(times):
            await trial.more(100)
            begun = time.monotonic()
            trial.tally.see("empty broker under load", await _back_with_nothing(trial))
            await trial.takes_effect(begun, within=LONG)
            await trial.more(50)
    await trial.settle(within=240.0)
    await _whole(trial, begun)


@scenario(
    "three brokers, one of them killed, under load",
    quick={"kills": 1},
    full={"kills": 20},
    bounds=(300.0, 3600.0),
    shape=Shape(brokers=3),
    daily=False,
)
async def three_brokers(trial: Trial, kills: int) -> None:
    """The others go on while it is down, and it joins them again."""
    await trial.programme.open()
    async with trial.load():
        for _ in range(kills):
            await trial.more(50)
            victim = trial.random.choice(("kafka", "kafka-2", "kafka-3"))
            begun = time.monotonic()
            await asyncio.to_thread(trial.cluster.kill, victim)
            trial.tally.see("kill one of three", trial.cluster.exits[-1] == (victim, -9))
            await trial.takes_effect(begun)
            await asyncio.to_thread(trial.cluster.launch, victim)
            await trial.more(50)
    await trial.settle()


async def _back_without_end(trial: Trial) -> int:
    """Kill it, cut its logs, start it; how many records went that it had acknowledged."""
    await asyncio.to_thread(trial.cluster.kill, "kafka")
    noted = await asyncio.to_thread(_acknowledged, trial)
    lost = 0
    for segment in _segments(trial.cluster.brokers.data()):
        topic, _, number = segment.parent.name.rpartition("-")
        end = _cut(segment, trial.random.randint(1, 3))
        lost += max(0, noted.get(f"{topic}/{number}", 0) - end)
    await asyncio.to_thread(trial.cluster.launch, "kafka")
    return lost


async def _back_with_nothing(trial: Trial) -> bool:
    """Kill it, empty its folder, start it; whether it had acknowledged anything, and has nothing.

    What waits to be sent comes as soon as there are topics again, so the folder is looked at first.
    """
    await asyncio.to_thread(trial.cluster.kill, "kafka")
    noted = await asyncio.to_thread(_acknowledged, trial)
    data = trial.cluster.brokers.data()
    shutil.rmtree(data)
    is_empty = not data.exists()
    await asyncio.to_thread(trial.cluster.launch, "kafka")
    return is_empty and any(noted.values())


def _acknowledged(trial: Trial) -> dict[str, int]:
    """By partition (topic/number) the end that Kafka told its publisher."""
    rows = [
        one
        for topic in TOPICS
        for one in trial.outside.all(topic.partition(".")[2], "acknowledged")
    ]
    return {str(one["_id"]): int(one["next"]) for one in rows}


async def _whole(trial: Trial, since: float) -> None:
    """Until the topics hold again whatever was decided; how long it took at most is noted."""
    await until(lambda: _lacking(trial), lambda lost: lost == 0, within=240)
    taken = max(time.monotonic() - since, trial.tally.notes.get("whole_after_s", 0.0))
    trial.tally.notes["whole_after_s"] = round(taken, 1)


async def _lacking(trial: Trial) -> int:
    """How many events that were decided are in no topic."""
    lost = 0
    for topic in TOPICS:
        service = topic.partition(".")[2]
        decided = {(one.key, one.sequence) for one in trial.outside.outbox(service)}
        stored = [one.fact for one in await trial.outside.topic(topic)]
        lost += len(decided - {(one.key, one.sequence) for one in stored if one})
    return lost


def _same_processes(trial: Trial, before: dict[str, int]) -> None:
    now = {name: trial.cluster.pid(name) for name in trial.cluster.instances()}
    if now != before:
        trial.tally.wrong.append(f"processes were replaced: {before} became {now}")


def _segments(data: Path) -> list[Path]:
    """The last segment of each partition of ours that holds anything."""
    folders = [one for one in data.glob("telar.*-*") if one.name.partition("-")[0] in TOPICS]
    newest = [max(one.glob("*.log")) for one in folders if list(one.glob("*.log"))]
    return [one for one in newest if one.stat().st_size]


def _cut(segment: Path, batches: int) -> int:
    """Take the last batches off, in the middle of one, as a power cut would leave it.

    The offset at which the log ends now.
    """
    raw, at = segment.read_bytes(), 0
    starts: list[int] = []
    while at + 12 <= len(raw):
        starts.append(at)
        at += 12 + int.from_bytes(raw[at + 8 : at + 12], "big")
    kept = starts[-min(batches, len(starts))]
    with segment.open("r+b") as file:
        file.truncate(min(kept + 7, len(raw)))
    for index in segment.parent.glob(f"{segment.stem}.*index"):
        index.unlink()
    return int.from_bytes(raw[kept : kept + 8], "big")
