"""Wires that are slow, break in mid-reply, or are half-open: each service has its own two."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from tests.faults.runner import scenario
from tests.faults.trial import Trial
from tests.support.cluster import SERVICES, Cluster, Shape
from tests.support.proxy import Proxy


@dataclass
class Wires:
    """The wire to the one broker, and the wires to MongoDB by service."""

    kafka: Proxy
    mongo: dict[str, Proxy]

    @property
    def all(self) -> list[Proxy]:
        return [self.kafka, *self.mongo.values()]


@asynccontextmanager
async def _wired(cluster: Cluster) -> AsyncIterator[Wires]:
    """Services reach the servers by wires of the test; the broker names its wire as its place."""
    async with AsyncExitStack() as stack:
        kafka = await stack.enter_async_context(Proxy(cluster.brokers.ports[0]))
        cluster.brokers.advertised[0] = kafka.port
        found = {}
        for name in SERVICES:
            found[name] = await stack.enter_async_context(Proxy(cluster.members.ports[0]))
            uri = f"mongodb://127.0.0.1:{found[name].port}/?directConnection=true"
            cluster.variables[name] = {
                "SERVICE_MONGO": uri,
                "SERVICE_KAFKA": f"127.0.0.1:{kafka.port}",
            }
        yield Wires(kafka, found)


@scenario(
    "wires between services and servers: slow, reset in mid-reply, cut, half-open",
    quick={"rounds": 1, "seconds": 4.0},
    full={"rounds": 8, "seconds": 15.0},
    bounds=(300.0, 2 * 3600.0),
    daily=False,
    shape=Shape(),
    around=_wired,
)
async def networks(trial: Trial, rounds: int, seconds: float) -> None:
    """What callers could not be told stays one effect; nothing is lost on the way to Kafka."""
    await trial.programme.open()
    wires: Wires = trial.around
    async with trial.load(workers=8):
        for _ in range(rounds):
            for fault in (_slow, _reset, _cut, _half_open):
                await trial.more(30)
                begun = time.monotonic()
                await fault(trial, wires, seconds)
                await trial.takes_effect(begun)
    await trial.settle()


async def _slow(trial: Trial, wires: Wires, seconds: float) -> None:
    """A tenth of a second and more each way, everywhere."""
    before = sum(one.slowed for one in wires.all)
    for one in wires.all:
        one.latency, one.jitter = 0.02, 0.2
    await asyncio.sleep(seconds)  # the fault itself
    for one in wires.all:
        one.latency = one.jitter = 0.0
    trial.tally.see("slow", sum(one.slowed for one in wires.all) > before)


async def _reset(trial: Trial, wires: Wires, seconds: float) -> None:
    """Answers that break off after some bytes, one after another, on any wire."""
    before = sum(one.resets for one in wires.all)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        trial.random.choice(wires.all).resets_after = trial.random.randint(0, 40)
        await asyncio.sleep(0.2)
    for one in wires.all:
        one.resets_after = None
    trial.tally.see("reset in mid-reply", sum(one.resets for one in wires.all) > before)


async def _cut(trial: Trial, wires: Wires, seconds: float) -> None:
    """Every connection breaks, again and again."""
    before = sum(one.cuts for one in wires.all)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for one in wires.all:
            one.cut()
        await asyncio.sleep(seconds / 4)
    trial.tally.see("cut", sum(one.cuts for one in wires.all) > before)


async def _half_open(trial: Trial, wires: Wires, seconds: float) -> None:
    """Bytes are taken and go nowhere: no error tells either side."""
    some = trial.random.sample(wires.all, 3)
    before = sum(one.swallowed for one in some)
    for one in some:
        one.is_frozen = True
    await asyncio.sleep(seconds)  # the fault itself
    trial.tally.see("half-open", sum(one.swallowed for one in some) > before)
    for one in some:
        one.thaw()
