"""Records that cannot be applied, mixed with good ones: they hurt their own key and nobody else."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaProducer

from tests.faults.checker.outside import GENESIS
from tests.faults.load.client import Command, Who
from tests.faults.load.http import Lost, NotSent, Request
from tests.faults.load.programme import Woman
from tests.faults.runner import scenario
from tests.faults.trial import Trial
from tests.support.cluster import Cluster, Shape
from tests.support.raw import Look, watched
from tests.support.wait import until

TOPIC = "telar.enrollment"
OPERATOR = Who("operator-1", ("operator",))
READERS = ("training", "grants", "trade", "gateway")
STANDSTILL = 5.0
"""No partition may have unread records and not move for so many seconds."""
LOOK = 1.0
"""What the time since the last look counts at most: a machine that is busy is no standstill."""


@dataclass(frozen=True)
class Poison:
    """One record that somebody put into the topic."""

    kind: str
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes] = field(default_factory=dict)
    parks: bool = False
    """It has a valid place: its key is parked. Otherwise it is set aside by its offset."""


def good(key: str, sequence: int = 1) -> Poison:
    """What a record would be with nothing wrong in it."""
    body = {"person_id": key, "enrolment_id": f"{key}:call-1", "call_id": "call-1"}
    attributes = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": "/telar/enrollment",
        "type": "telar.enrollment.applicant-enrolled.v1",
        "time": "2026-11-25T00:00:00.000Z",
        "subject": key,
        "sequence": str(sequence),
        "previous": GENESIS,
        "partitionkey": key,
        "correlationid": f"poison-{key}",
        "causationid": f"poison-{key}",
        "dataschema": "urn:telar:schema:telar.enrollment.applicant-enrolled.v1",
    }
    headers = {f"ce_{name}": value.encode() for name, value in attributes.items()}
    return Poison("good", key.encode(), json.dumps(body).encode(), headers)


def kinds() -> list[Poison]:
    """One of each kind, each under a key of its own."""
    return [*(_misplaced(_fresh())), *(_unreadable())]


def _fresh() -> str:
    return f"poison-{uuid4().hex[:12]}"


def _misplaced(key: str) -> list[Poison]:
    """Without a valid place in any stream."""
    base = good(key)

    def other(kind: str, **headers: bytes) -> Poison:
        return replace(base, kind=kind, headers={**base.headers, **headers})

    def without(name: str) -> Poison:
        rest = {one: value for one, value in base.headers.items() if one != f"ce_{name}"}
        return replace(base, kind=f"no-{name}", headers=rest)

    needed = ("id", "type", "time", "sequence", "previous", "correlationid", "causationid")
    return [
        replace(base, kind="tombstone", value=None),
        replace(base, kind="empty", value=b""),
        replace(base, kind="no-key", key=None),
        replace(base, kind="empty-key", key=b""),
        replace(base, kind="key-not-text", key=b"\xff\xfe\x00"),
        replace(base, kind="key-too-long", key=b"k" * 201),
        replace(base, kind="no-headers", headers={}),
        replace(base, kind="huge", value=b'"' + b"x" * (300 * 1024) + b'"'),
        *map(without, needed),
        other("not-a-cloudevent", ce_specversion=b"0.3"),
        other("wrong-source", ce_source=b"/telar/grants"),
        other("another-topic", ce_type=b"telar.grants.award-offered.v1"),
        other("another-key", ce_partitionkey=b"somebody-else"),
        other("sequence-0", ce_sequence=b"0"),
        other("sequence-word", ce_sequence=b"first"),
        other("sequence-huge", ce_sequence=b"9" * 30),
        other("time-word", ce_time=b"yesterday"),
        other("time-without-zone", ce_time=b"2026-11-25T00:00:00"),
        other("headers-not-text", ce_id=b"\xc3\x28"),
    ]


def _unreadable() -> list[Poison]:
    """With a valid place, and a body that no reader can use."""
    found = []
    for kind, value in (
        ("not-json", b"{oops"),
        ("not-an-object", b"[1, 2]"),
        ("field-missing", b'{"person_id": "x"}'),
        ("type-wrong", b'{"person_id": 7, "enrolment_id": "e", "call_id": "c"}'),
        ("not-utf8", b'{"person_id": "\xff"}'),
        ("nan", b'{"person_id": NaN, "enrolment_id": "e", "call_id": "c"}'),
    ):
        found.append(replace(good(_fresh()), kind=kind, value=value, parks=True))
    return found


@asynccontextmanager
async def _with_a_bug(cluster: Cluster) -> AsyncIterator[Path]:
    """A file that makes handlers fail on keys that begin with bug-, while it is there."""
    file = cluster.folders.root / "bug"
    file.touch()
    cluster.variables[""] = {"TESTS_BUG": str(file)}
    yield file


@scenario(
    "poison of more than thirty kinds, and handlers with a bug, mixed with good traffic",
    quick={"each": 1, "buggy": 3},
    full={"each": 50, "buggy": 40},
    bounds=(300.0, 3600.0),
    shape=Shape(launcher="tests.support.launch"),
    around=_with_a_bug,
)
async def poison(trial: Trial, each: int, buggy: int) -> None:
    """Partitions go on, exactly the poisoned keys wait, with cause and origin; order holds."""
    await trial.programme.open()
    async with _watched(trial):
        sent, bugs = await _mixed(trial, each, buggy)
        _expect(trial, sent)
        await until(
            lambda: asyncio.to_thread(_unparked, trial, bugs), lambda left: not left, within=60
        )
        trial.tally.see("handler with a bug", happened=True)
        await asyncio.to_thread(_explained, trial, sent)
        trial.around.unlink()  # the bug is mended: what waits is applied, in its order
        begun = time.monotonic()
        await _retried(trial, bugs)
        await until(
            lambda: asyncio.to_thread(_parked, trial, bugs), lambda left: not left, within=600
        )
        trial.tally.notes["released_s"] = round(time.monotonic() - begun, 1)
    await trial.settle()


async def _mixed(trial: Trial, each: int, buggy: int) -> tuple[list[Poison], set[str]]:
    """Good traffic with the poison in it; that, and the keys on which handlers fail."""
    sent: list[Poison] = []
    async with trial.load(workers=8):
        group = await trial.programme.group()
        women = [Woman(group, id=f"bug-{uuid4()}") for _ in range(buggy)]
        for number in range(each):
            # So much that most of what a reader handles is good: else its breaker is right to open.
            await trial.more(300 if each > 1 else 100)
            batch = kinds()
            await _send(trial, batch)
            sent += batch
            await asyncio.gather(*(_enrol(trial, woman) for woman in women[number::each]))
        await trial.more(100)
    for one in sent:
        trial.tally.see(one.kind, happened=True)
    return sent, {f"enrollment/{woman.id}" for woman in women}


async def _enrol(trial: Trial, woman: Woman) -> None:
    for step in trial.programme.steps[:4]:
        await trial.client.command(step(woman, trial.programme.terms), patience=60.0)


async def _retried(trial: Trial, keys: set[str]) -> None:
    """What failed so often that it waits for an operator is tried again, as the runbook says."""
    dead = await asyncio.to_thread(_parked, trial, keys, "dead")
    for reader, key in sorted(dead):
        front = "/v1" if reader == "gateway" else ""
        path = f"{front}/operations/{reader}/parked/retry"
        body = {"topic": TOPIC, "key": key.partition("/")[2], "reason": "the bug is mended"}
        [url] = trial.cluster.urls(reader)
        order = Command(reader, "retry", OPERATOR, path, body, publishes=False, url=url)
        op, reply = await trial.client.command(order, patience=120.0)
        if op.outcome != "ok":
            trial.tally.wrong.append(f"{reader} refused to retry {key}: {reply}")
    trial.tally.notes["retried_by_an_operator"] = len(dead)


async def _send(trial: Trial, batch: list[Poison]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=trial.cluster.kafka)
    await producer.start()
    try:
        for one in batch:
            where = {} if one.key else {"partition": trial.random.randrange(6)}
            await producer.send_and_wait(
                TOPIC, one.value, one.key, headers=list(one.headers.items()), **where
            )
    finally:
        await producer.stop()


def _expect(trial: Trial, sent: list[Poison]) -> None:
    aside = sum(not one.parks for one in sent)
    trial.expected.quarantined = dict.fromkeys(READERS, aside)
    trial.expected.strangers = len(sent)
    trial.expected.parked |= {
        (reader, f"enrollment/{(one.key or b'').decode()}")
        for reader in READERS
        for one in sent
        if one.parks
    }


def _parked(trial: Trial, keys: set[str], reason: str | None = None) -> set[tuple[str, str]]:
    """Where these keys wait, whatever for or for this reason alone."""
    return {
        (reader, str(one["_id"]))
        for reader in READERS
        for one in trial.outside.all(reader, "parked")
        if str(one["_id"]) in keys and reason in (None, one["reason"])
    }


def _unparked(trial: Trial, keys: set[str]) -> set[tuple[str, str]]:
    wanted = {(reader, key) for reader in READERS for key in keys}
    return wanted - _parked(trial, keys)


def _explained(trial: Trial, sent: list[Poison]) -> None:
    """Each that waits says why and whence; each that was set aside says why and where it was."""
    for reader in READERS:
        for one in trial.outside.all(reader, "parked"):
            if not (one["code"] and one["events"] and one["topic"] and one["attempts"]):
                trial.tally.wrong.append(f"parked without a cause: {reader} {one['_id']}")
        aside: list[dict[str, Any]] = trial.outside.all(reader, "quarantine")
        if len({one["_id"] for one in aside}) != sum(not one.parks for one in sent):
            trial.tally.wrong.append(f"{reader} set {len(aside)} records aside")
        if [one for one in aside if not one["code"]]:
            trial.tally.wrong.append(f"{reader} does not say why it set a record aside")


@asynccontextmanager
async def _watched(trial: Trial) -> AsyncIterator[None]:
    """While the block runs, no partition may stand still."""
    ended = asyncio.Event()
    async with watched(trial.cluster.kafka, TOPIC) as look:
        watch = asyncio.create_task(_watch(trial, look, ended))
        try:
            yield
        finally:
            ended.set()  # a cancelled look would leave a connection of its client behind
            await watch


async def _watch(trial: Trial, look: Look, ended: asyncio.Event) -> None:
    """Look a few times a second whether a partition stands still."""
    stands = Standstill()
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), 0.5)
            return
        end = await look()
        for reader in READERS:
            at = await asyncio.to_thread(trial.outside.read_up_to, reader)
            for place, last in end.items():
                if stands.still((reader, *place), at.get(place, 0), last, time.monotonic()):
                    trial.tally.wrong.append(f"{reader} stands still at {place}")


class Standstill:
    """Who has had unread records and not moved, in all the looks of so many seconds."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, str, int], tuple[int, float, float]] = {}

    def still(self, who: tuple[str, str, int], at: int, end: int, now: float) -> bool:
        """Note where this one is; a look that took long says nothing of the time in between."""
        was, stood, seen = self._since.get(who, (-1, 0.0, now))
        stood = 0.0 if at != was or at >= end else stood + min(now - seen, LOOK)
        is_still = stood > STANDSTILL
        self._since[who] = (at, 0.0 if is_still else stood, now)
        return is_still


@asynccontextmanager
async def _release(cluster: Cluster) -> AsyncIterator[Path]:
    """A file with which the handlers of training fail on everything."""
    file = cluster.folders.root / "broken"
    cluster.variables["training"] = {"TESTS_BROKEN": str(file)}
    yield file


@scenario(
    "a release in which every handler fails on every event",
    quick={"backlog": 450, "times": 1},
    full={"backlog": 1500, "times": 10},
    bounds=(300.0, 3600.0),
    shape=Shape(launcher="tests.support.launch"),
    around=_release,
    idle=True,
)
async def broken_release(trial: Trial, backlog: int, times: int) -> None:
    """The consumer stops before it has parked anything, says so, and goes on after the next."""
    await trial.programme.open()
    trial.programme.steps, trial.programme.grouped = trial.programme.steps[:4], False
    for _ in range(times):
        await asyncio.to_thread(trial.cluster.terminate, "training")
        trial.around.touch()
        async with trial.load():
            await trial.more(backlog)
        trial.cluster.spawn("training")
        faults = await until(lambda: _faults(trial), lambda found: "breaker" in found, within=60)
        trial.tally.see("broken release", "breaker" in faults)
        parked = await asyncio.to_thread(trial.outside.count, "training", "parked")
        if parked:
            trial.tally.wrong.append(f"I8 the broken release parked {parked} keys")
        await asyncio.to_thread(trial.cluster.terminate, "training")
        trial.around.unlink()
        begun = time.monotonic()
        await asyncio.to_thread(trial.cluster.launch, "training")
        await trial.answers("training", begun)
    await trial.settle()


async def _faults(trial: Trial) -> list[str]:
    """Why training says that it is not ready."""
    (url,) = trial.cluster.urls_of("training")
    try:
        answer = await trial.client.wire.ask(url, Request("GET", "/readyz"), 5.0)
    except (NotSent, Lost):
        return []
    return list(answer.data["faults"])
