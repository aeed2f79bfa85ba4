"""The process that dies: one service on real servers, which kills itself at the planned point.

It serves on a Unix socket, is told by its parent what to do, and tells what it reaches. SIGKILL
comes from inside, at the very call: nothing after it runs, nothing is flushed.
"""

import os
import signal
import threading
from collections.abc import Sequence
from datetime import timedelta
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvicorn

from shared.chassis.clock import Clock
from shared.chassis.envelope import Envelope
from shared.chassis.kafka import KafkaBus
from shared.chassis.mongo import MongoStore
from shared.chassis.mongo.transaction import MongoSnapshot
from shared.chassis.outbox import Publisher
from shared.chassis.ports import BusError, Conflict, Outgoing, Place, Producer
from tests.faults.crash import paths, points
from tests.faults.crash.plans import CONNECT, Home, Plan
from tests.faults.crash.services import LOST, LOST_TAIL, SERVICES
from tests.faults.driver.mishaps import Mishaps
from tests.support.own import OwnBus

SESSION = 2.0
"""Seconds after which the group puts out a member that died (the product: 30)."""

QUICK = {
    "backfill.CLAIM": timedelta(seconds=1.5),
    "consumer.COMMIT_EVERY": 0.2,
    "deadlines.CLAIM": timedelta(seconds=0.8),
    "duties.CLAIM": timedelta(seconds=1.5),
    "heads.ASK_AGAIN": 0.4,
    "heads.EVERY": timedelta(seconds=1.5),
    "heads.EVERY_ALL": timedelta(seconds=6),
    "heads.OVERLAP": timedelta(seconds=5),
    "heads.QUIET": timedelta(seconds=0.5),
    "kafka.bus.READ": 6.0,
    "kafka.consumer.QUIET": 1.0,
    "kafka.consumer.SETTLING": 8.0,
    "operations.orders.ORDERS_A_MINUTE": 10_000,
    "outbox.CLAIM": timedelta(seconds=0.8),
    "outbox.GRACE": timedelta(seconds=0.4),
    "outbox.SEND_DEADLINE": 3.0,
    "parking.BACKOFF_FIRST": timedelta(seconds=0.2),
    "parking.GAP_PATIENCE": timedelta(seconds=0.3),
    "repair.CLAIM": timedelta(seconds=0.8),
    "tail.LOOK_EVERY": timedelta(seconds=2),
    "tail.ASK_EVERY": 0.5,
}
"""The core's patience, shorter: what is tested is what happens, not how long it may take."""


UNDO, COMMIT = "mongo.MongoSnapshot.end", "mongo.MongoTransaction.commit"
"""A transaction is undone where it met a conflict, by chance alone."""

FEW = 4
"""Documents asked for together (the product: 64): of more each collection is asked by itself."""


class Doom:
    """Counts what is reached, says what is new, and ends the process where it is planned."""

    def __init__(self, parent: Connection, plan: Plan | None) -> None:
        self._parent, self.plan = parent, plan
        self._seen: set[tuple[str, str, str]] = set()
        self._one = threading.Lock()  # calls come from several threads
        self.arm(plan)

    def arm(self, plan: Plan | None) -> None:
        """Die there from now on, or nowhere."""
        self._left, self._is_led, self.plan = plan.nth if plan else 0, False, plan

    def wrap(self) -> None:
        """Wrap every call."""
        points.wrap(self.touch)
        paths.follow()

    def touch(self, call: str, side: str) -> None:
        """A call is at its beginning or its end."""
        with self._one:
            here = paths.here()
            for path in here:
                self._reach((path, call, side))
            if side == "before" and self.plan:
                self._lead(self.plan, here, call)

    def _lead(self, plan: Plan, here: frozenset[str], call: str) -> None:
        """Let this call fail if what is planned comes after such a failure alone."""
        if (plan.call, call) == (UNDO, COMMIT) and plan.path in here and not self._is_led:
            self._is_led = True
            raise Conflict("made, so that this path undoes a transaction")
        if plan.call == call == CONNECT and plan.path not in here:
            raise BusError("made, so that the planned path connects first")

    def _reach(self, place: tuple[str, str, str]) -> None:
        if place not in self._seen:
            self._seen.add(place)
            self._parent.send(("reached", place))
        if self.plan and self.plan.is_at(place):
            self._left -= 1
            if self._left == 0:
                self._parent.send(("happens", place))
                os.kill(os.getpid(), signal.SIGKILL)


def main(home: Home, parent: Connection, plan: Plan | None) -> None:
    """Serve until killed, from inside or outside, or told to stop."""
    os.setsid()
    _log(home.folder / f"{home.lane}-{home.name}.log", plan)
    _hurry()
    harm: Doom | Mishaps = Doom(parent, plan) if home.harm == "death" else Mishaps(parent, plan)
    harm.wrap()
    _skip_some_sends()
    threading.Thread(target=_listen, args=(parent, harm), daemon=True).start()
    _serve(home)


def _log(path: Path, plan: Plan | None) -> None:
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(log, f"── a new life, to end at {plan}\n".encode())
    os.dup2(log, 1)
    os.dup2(log, 2)


def _serve(home: Home) -> None:
    service = SERVICES[home.name + home.release]
    settings = service.settings(jwks=home.folder / "keys" / "jwks.json", partitions=2)
    bus = Losing(KafkaBus(home.kafka, session=SESSION), home.lane)
    app = service.app(settings, MongoStore(home.mongo, home.database), bus)
    config = uvicorn.Config(
        paths.Requests(app),
        uds=str(home.socket),
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run()


def _hurry() -> None:
    for name, value in QUICK.items():
        module, _, constant = name.rpartition(".")
        owner: Any = import_module(f"shared.chassis.{module}")
        assert hasattr(owner, constant), f"{name} is gone"
        setattr(owner, constant, value)
    Clock.run.__defaults__ = (1.0,)
    paths.replace(MongoSnapshot, "_most_together", FEW)


def _skip_some_sends() -> None:
    """Every third commit is left to the sweep, as when its process had too much to send."""
    offer, count = Publisher.offer, 0

    def some(self: Publisher, document: Any, events: list[Envelope]) -> None:
        nonlocal count
        count += 1
        if count % 3:
            offer(self, document, events)

    paths.replace(Publisher, "offer", some)


def _listen(parent: Connection, harm: Doom | Mishaps) -> None:
    """Do as the parent says; without a parent there is nothing to live for."""
    while True:
        try:
            harm.arm(parent.recv())
        except (EOFError, OSError):
            os._exit(1)


class Losing(OwnBus):
    """A bus that acknowledges a few records and loses them, once each."""

    async def producer(self) -> Producer:
        return _Losing(await super().producer())


class _Losing:
    def __init__(self, producer: Producer) -> None:
        self._producer, self._lost = producer, set[tuple[bytes, bytes]]()

    async def send(self, records: Sequence[Outgoing], deadline: float) -> dict[Place, range]:
        kept = [record for record in records if not self._loses(record)]
        return await self._producer.send(kept, deadline)

    def _loses(self, record: Outgoing) -> bool:
        numbers = (f'"number":{number}}}'.encode() for number in (LOST, LOST_TAIL))
        if not any(record.value.endswith(number) for number in numbers):
            return False
        known = (record.key, record.value) in self._lost
        self._lost.add((record.key, record.value))
        return not known

    async def close(self, deadline: float) -> None:
        await self._producer.close(deadline)
