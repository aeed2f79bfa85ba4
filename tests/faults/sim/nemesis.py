"""Faults, chosen by the dice: when, which, and for how long. `heal` ends them all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from shared.chassis.ports import BusError, Conflict, OutcomeUnknown, StoreUnavailable
from tests.faults.sim import rules
from tests.faults.sim.cluster import Cluster, Replica
from tests.faults.sim.store import SimStore
from tests.faults.sim.wire import OUT, SLOW, Trouble
from tests.faults.sim.workload import SPAN

Fault = Callable[["Nemesis"], Awaitable[None]]

_MADE: ContextVar[list[str]] = ContextVar("_MADE")
"""The kind of the fault that this task makes, until it takes effect on somebody; then none."""


class Nemesis:
    """Makes the faults of one seed."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.world = cluster, cluster.world
        self.dice = cluster.world.dice

    async def run(self, count: int) -> None:
        """So many faults within the span; some last beyond it."""
        is_old = self.dice.random() < 0.05
        kinds = sorted(HARMLESS) if is_old else list(FAULTS)
        weights = [FAULTS[kind][1] for kind in kinds]
        plan = sorted(
            (self.dice.uniform(0, SPAN), kind)
            for kind in self.dice.choices(kinds, weights, k=count)
        )
        if is_old:
            plan.append((self.dice.uniform(0, SPAN), "restored publisher"))
        await asyncio.gather(*(self._make(at, kind) for at, kind in plan))

    async def _make(self, at: float, kind: str) -> None:
        await asyncio.sleep(at)
        self.world.trace(lambda: f"FAULT {kind}")
        self.world.made[kind] += 1
        _MADE.set([kind])
        fault = Nemesis.restore_desk if kind == "restored publisher" else FAULTS[kind][0]
        await fault(self)

    def _strikes(self) -> None:
        """The fault that this task makes took effect: it counts once, however often."""
        # None: what is thrown away after the end of its seed is nobody's task.
        while kinds := _MADE.get(None):
            self.world.struck[kinds.pop()] += 1

    @contextmanager
    def _if_more(self, hits: Callable[[], int]) -> Iterator[None]:
        """It took effect if there are more of these afterwards, also if healing cuts it short."""
        before = hits()
        try:
            yield
        finally:
            if hits() > before:
                self._strikes()

    def heal(self) -> None:
        """Everything answers, every process runs, every handler is mended."""
        rules.poison.clear()
        self.cluster.bus.wire.heal()
        self.cluster.bus.chances.clear()
        for store in self.cluster.stores.values():
            store.wire.heal()
        for replica in self.cluster.replicas:
            if replica.is_stopping:
                replica.kill()
            if not replica.is_up:
                replica.start()
            elif replica.process is not None and replica.process.is_frozen:
                replica.process.thaw()

    def somebody(self) -> Replica:
        """Any replica."""
        return self.dice.choice(self.cluster.replicas)

    def some_store(self) -> SimStore:
        """Any service's store."""
        return self.cluster.stores[self.dice.choice(("shop", "shop", "desk", "desk", "view"))]

    async def crash(self) -> None:
        """kill -9 of one process; another starts after a while."""
        replica = self.somebody()
        if replica.is_up:
            self._strikes()
            self.world.happened("crash")
        replica.kill()
        await asyncio.sleep(self.dice.uniform(0.1, 5.0))
        if not replica.is_up:
            replica.start()

    async def terminate(self) -> None:
        """SIGTERM of one process."""
        replica = self.somebody()
        if replica.is_up and replica.process and not replica.process.is_frozen:
            self._strikes()
            await replica.terminate()
            self.world.happened("termination")
            if not replica.is_up:
                replica.start()

    async def freeze(self) -> None:
        """SIGSTOP of one process beyond its session, then SIGCONT."""
        process = self.somebody().process
        if process is None or not process.is_alive or process.is_frozen:
            return
        process.freeze()
        self._strikes()
        self.world.happened("freeze")
        await asyncio.sleep(self.dice.uniform(1.0, 25.0))
        if process.is_alive and process.is_frozen:
            process.thaw()

    async def replay(self) -> None:
        """Part of a partition arrives again."""
        place, log = self._some_log()
        if log:
            first = self.dice.randrange(len(log))
            again = log[first : first + self.dice.randint(1, 10)]
            self.dice.shuffle(again)
            with self._if_more(lambda: len(log)):
                self.cluster.bus.append_to(place, again)

    async def cut_tail(self) -> None:
        """The end of a partition is gone."""
        place, log = self._some_log()
        if log:
            count = self.dice.randint(1, min(5, len(log)))
            self.cluster.bus.cut(place, count)
            self._strikes()
            self.world.happened("cut tail", count)

    async def empty(self) -> None:
        """A topic was made anew."""
        bus = self.cluster.bus
        for place in bus.places(self.dice.choice(("telar.shop", "telar.desk"))):
            if bus.logs[place]:
                self._strikes()
                self.world.happened("emptied partition")
                bus.cut(place, len(bus.logs[place]))

    async def twist(self) -> None:
        """For a while records are lost, doubled or inverted."""
        bus, kind = self.cluster.bus, self.dice.choice(("lost record", "doubled", "inverted"))
        bus.chances[kind] = self.dice.uniform(0.2, 0.9)
        with self._if_more(lambda: bus.twisted[kind]):
            await asyncio.sleep(self.dice.uniform(0.5, 3.0))
        bus.chances.pop(kind, None)

    async def bus_out(self) -> None:
        """No broker answers."""
        wire = self.cluster.bus.wire
        wire.is_out = True
        with self._if_more(lambda: wire.struck[OUT]):
            await asyncio.sleep(self.dice.uniform(0.5, 12.0))
        wire.is_out = False

    async def store_out(self) -> None:
        """No database answers one service."""
        wire = self.some_store().wire
        wire.is_out = True
        with self._if_more(lambda: wire.struck[OUT]):
            await asyncio.sleep(self.dice.uniform(0.5, 10.0))
        wire.is_out = False

    async def fail_over(self) -> None:
        """Another member becomes primary."""
        store = self.some_store()
        store.fail_over()
        self._strikes()
        self.world.happened("failover")
        wire = store.wire
        wire.is_out = True
        await asyncio.sleep(self.dice.uniform(0.1, 3.0))
        wire.is_out = False

    async def slow(self) -> None:
        """Calls to one server take seconds."""
        wire = self.dice.choice([self.some_store().wire, self.cluster.bus.wire])
        wire.slowness = self.dice.uniform(0.05, 0.3)
        with self._if_more(lambda: wire.struck[SLOW]):
            await asyncio.sleep(self.dice.uniform(0.5, 4.0))
        wire.slowness = 0.0

    async def conflicts(self) -> None:
        """The server asks for transactions to be run again."""
        await self._trouble("store", ("write", "commit"), "told conflict", Conflict)

    async def unknown_commit(self) -> None:
        """The answer to a commit never comes; it happened, or not."""
        happened = self.dice.random() < 0.6
        kind = "unknown commit that " + ("happened" if happened else "did not happen")
        await self._trouble("store", ("commit",), kind, OutcomeUnknown, after=happened)

    async def store_errors(self) -> None:
        """Single calls fail."""
        operations = ("load", "write", "get", "before", "move", "clear", "resend", "count", "time")
        await self._trouble("store", operations, "store error", StoreUnavailable)

    async def send_errors(self) -> None:
        """A send fails, before or after the records are written."""
        written = self.dice.random() < 0.7
        kind = "unacknowledged send" if written else "failed send"
        await self._trouble("bus", ("send",), kind, BusError, after=written)

    async def restore_view(self) -> None:
        """view's database comes back from an earlier moment."""
        store, replicas = self.cluster.stores["view"], self.cluster.of("view")
        backup = store.durable
        await asyncio.sleep(self.dice.uniform(0.5, 6.0))
        for replica in replicas:
            replica.kill()
        if store.data is not backup:
            self._strikes()
            self.world.happened("restored store")
        store.restore(backup)
        for replica in replicas:
            replica.start()

    async def restore_desk(self) -> None:
        """desk's database comes back from an earlier moment, and desk publishes."""
        store = self.cluster.stores["desk"]
        backup = store.durable
        await asyncio.sleep(self.dice.uniform(0.5, 6.0))
        for replica in self.cluster.of("desk"):
            replica.kill()
        if store.data is not backup:
            self._strikes()
        store.restore(backup)
        self.cluster.restored.add("desk")
        for replica in self.cluster.of("desk"):
            replica.start()

    async def clock_jump(self) -> None:
        """The clock of one machine is set, forward or back."""
        process = self.somebody().process
        if process is not None:
            if process.is_alive:
                self._strikes()
            process.skew = self.dice.choice((-7200.0, -30.0, 30.0, 7200.0))
            self.world.happened("clock jump")

    async def poison(self) -> None:
        """desk's handler fails for entries made from now on, and is mended later."""
        ops = {f"o{number}" for number in range(60) if self.dice.random() < 0.3}
        rules.poison |= ops
        with self._if_more(lambda: sum(rules.poisoned[op] for op in ops)):
            await asyncio.sleep(self.dice.uniform(1.0, 10.0))
        rules.poison.clear()

    async def _trouble(
        self, where: str, operations: Iterable[str], kind: str, error: Any, *, after: bool = False
    ) -> None:
        wire = self.some_store().wire if where == "store" else self.cluster.bus.wire
        trouble = Trouble(kind, error, self.dice.uniform(0.2, 0.9), after)
        for operation in operations:
            wire.troubles.setdefault(operation, []).append(trouble)
        with self._if_more(lambda: wire.struck[trouble]):
            await asyncio.sleep(self.dice.uniform(0.2, 3.0))
        for operation in operations:
            if trouble in (left := wire.troubles.get(operation, [])):
                left.remove(trouble)

    def _some_log(self) -> Any:
        bus = self.cluster.bus
        place = self.dice.choice(bus.places(self.dice.choice(("telar.shop", "telar.desk"))))
        return place, bus.logs[place]


FAULTS: dict[str, tuple[Fault, int]] = {
    "crash": (Nemesis.crash, 20),
    "termination": (Nemesis.terminate, 5),
    "freeze": (Nemesis.freeze, 12),
    "replay": (Nemesis.replay, 8),
    "cut tail": (Nemesis.cut_tail, 8),
    "empty topic": (Nemesis.empty, 3),
    "twist": (Nemesis.twist, 12),
    "bus outage": (Nemesis.bus_out, 6),
    "store outage": (Nemesis.store_out, 6),
    "failover": (Nemesis.fail_over, 6),
    "slow calls": (Nemesis.slow, 6),
    "conflicts": (Nemesis.conflicts, 8),
    "unknown commit": (Nemesis.unknown_commit, 12),
    "store errors": (Nemesis.store_errors, 6),
    "send errors": (Nemesis.send_errors, 8),
    "restored store": (Nemesis.restore_view, 5),
    "poison": (Nemesis.poison, 6),
    "clock jump": (Nemesis.clock_jump, 6),
}
"""Each fault and its weight."""

LOSSES = {"cut tail", "empty topic", "twist", "restored store"}
HARMLESS = FAULTS.keys() - LOSSES
"""What may go wrong beside a restored publisher: who has lost both has lost events for good."""
