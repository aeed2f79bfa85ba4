"""One seed from its first command to the verdict."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import suppress

from shared.chassis.control import CONTROL
from shared.chassis.ports import Place
from tests.faults.sim import checker
from tests.faults.sim.adapters import Asked
from tests.faults.sim.cluster import Cluster
from tests.faults.sim.nemesis import Nemesis
from tests.faults.sim.operator import Operator
from tests.faults.sim.report import Outcome
from tests.faults.sim.workload import SPAN, Clients, plain
from tests.faults.sim.world import Now, World

COMMANDS = (4, 13)
FAULTS = (1, 5)
HEALED_WITHIN = 900.0
"""Virtual seconds after healing in which everything must have come to rest."""


def run(seed: int, asked: Asked, *, trace: bool = False) -> Outcome:
    """Run one seed."""
    world = Now.world = World(seed, trace=trace)
    cluster = Cluster(world, asked)
    trial = _Trial(world, cluster)
    try:
        with suppress(_Restless):
            world.loop.run(trial.run())
        return trial.outcome()
    except AssertionError as error:
        world.wrong.append(("rest", str(error)))
        return trial.outcome()
    finally:
        world.loop.close()


class _Restless(Exception):
    """It did not come to rest."""


class _Trial:
    def __init__(self, world: World, cluster: Cluster) -> None:
        self.world, self.cluster = world, cluster
        self.clients, self.nemesis = Clients(cluster), Nemesis(cluster)
        self.operator = Operator(cluster)
        self.rested = 0.0
        cluster.bus.told_reset = self._reset

    async def run(self) -> None:
        for replica in self.cluster.replicas:
            replica.start()
        await asyncio.sleep(1.0)
        await self.clients.prepare()
        dice, loop = self.world.dice, self.world.loop
        samples = loop.create_task(self._sample(dice.randint(1, 4)))
        faults = loop.create_task(self.nemesis.run(dice.randint(*FAULTS)))
        commands = loop.create_task(self.clients.run(dice.randint(*COMMANDS)))
        await asyncio.sleep(SPAN + 2.0)
        for task in (samples, faults):
            task.cancel()
        self.nemesis.heal()
        self.world.trace(lambda: "HEALED")
        healed = loop.now
        await commands
        await self._rest()
        self.rested = loop.now - healed
        self._judge(checker.at_the_end(self._evidence(), plain(self.clients.history)))

    async def _sample(self, count: int) -> None:
        for at in sorted(self.world.dice.uniform(0, SPAN) for _ in range(count)):
            await asyncio.sleep(max(0.0, at - self.world.loop.now))
            self._judge(checker.at_any_time(self._evidence()))

    def _reset(self, service: str, place: Place, offset: int) -> None:
        if offset and place[0] != CONTROL:
            self._judge(checker.at_reset(self._evidence(), service, place, offset))

    async def _rest(self) -> None:
        until = self.world.loop.now + HEALED_WITHIN
        while not self._is_quiet():
            if self.world.loop.now > until:
                self._judge(checker.at_the_end(self._evidence(), plain(self.clients.history)))
                self.world.wrong.append(("rest", "it did not come to rest"))
                raise _Restless
            await asyncio.sleep(1.0)
            await self.operator.look()

    def _is_quiet(self) -> bool:
        stores = self.cluster.stores
        for store in stores.values():
            if store.open or store.data.get("parked"):
                return False
            if any("send_after" in row for row in store.data.get("outbox", {}).values()):
                return False
            if any("due" in row for row in store.data.get("rooms", {}).values()):
                return False
        return not any(True for _ in checker.at_rest(self._evidence()))

    def _judge(self, findings: Iterator[checker.Finding]) -> None:
        for invariant, text in findings:
            if len(self.world.wrong) < 20:
                self.world.trace(lambda: f"WRONG {invariant}: {text}")  # noqa: B023  called at once
                self.world.wrong.append((invariant, f"at {self.world.loop.now:.3f}: {text}"))

    def _evidence(self) -> checker.Evidence:
        bus = self.cluster.bus
        records = []
        for (topic, partition), log in bus.logs.items():
            for one in log if topic != CONTROL else ():
                headers = {name: value or b"" for name, value in one.headers}
                records.append(
                    checker.Record(
                        topic,
                        partition,
                        one.offset,
                        (one.key or b"").decode(),
                        headers["ce_id"].decode(),
                        int(headers["ce_sequence"]),
                        one.value or b"",
                    )
                )
        services = {name: store.data for name, store in self.cluster.stores.items()}
        harmed, restored = frozenset(bus.harmed), frozenset(self.cluster.restored)
        return checker.Evidence(services, records, harmed, restored)

    def outcome(self) -> Outcome:
        history = self.clients.history
        self.world.wrong += [("loops", text) for text in self.world.loop.complaints]
        print_ = repr((plain(history), {n: s.data for n, s in self.cluster.stores.items()}))
        return Outcome(
            seed=self.world.seed,
            wrong=self.world.wrong,
            made=self.world.made,
            struck=self.world.struck,
            observed=self.world.observed,
            accepted=sum(entry.outcome == "ok" for entry in history),
            commands=len(history),
            repeats=self.clients.repeats,
            rested=self.rested,
            digest=hashlib.sha256(print_.encode()).hexdigest()[:16],
            unknown=sum(entry.outcome == "unknown" for entry in history),
        )
