"""The processes of three services, with their stores and their bus; and calls from outside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from fastapi import Response
from pydantic import BaseModel

from shared.chassis import http
from shared.chassis.auth import Caller
from shared.chassis.backfill import Backfills
from shared.chassis.deadlines import Deadlines
from shared.chassis.errors import Problem
from shared.chassis.heads import Announcer
from shared.chassis.outbox import Publisher
from shared.chassis.ports import StoreError
from shared.chassis.repair import Repair
from shared.chassis.runtime import Runtime
from shared.model import Context, Do, Refused
from tests.faults.sim import rules
from tests.faults.sim.adapters import Asked
from tests.faults.sim.bus import SimBus
from tests.faults.sim.loop import Process
from tests.faults.sim.store import SimStore
from tests.faults.sim.world import World

PARTITIONS = 2

_PERIODS = {
    Deadlines.run: 1.5,
    Repair.run: 3.0,
    Publisher.run_sweep: 4.0,
    Announcer.run: 3.0,
    Backfills.run: 30.0,
}
for _loop, _every in _PERIODS.items():
    _loop.__defaults__ = (_every,)  # they look less often, so that virtual time costs less

CLIENT = Caller("client", frozenset({"operator"}))


class SimRuntime(Runtime):
    """The real thing; a loop of it that ends by an error takes its process along, and is noted."""

    world: World
    process: Process

    def _spawn(self, name: str, loop: Coroutine[Any, Any, None]) -> None:
        async def guarded() -> None:
            try:
                await loop
            except Exception as error:
                self.world.wrong.append(("loops", f"{name} of {self.name} died: {error!r}"))
                self.process.kill()

        self._tasks[name] = asyncio.create_task(guarded(), name=name)


@dataclass(frozen=True)
class Answer:
    """What a caller got. Status 0: nothing, and nobody knows."""

    status: int
    body: bytes = b""
    code: str = ""


NOTHING = Answer(0)
REFUSED_CONNECTION = Answer(503, b"", "no-connection")


class Replica:
    """A place where a process of a service runs, or another after it."""

    def __init__(self, cluster: Cluster, service: str, number: int) -> None:
        self.cluster, self.service, self.name = cluster, service, f"{service}-{number}"
        self.process: Process | None = None
        self.runtime: SimRuntime | None = None

    @property
    def is_up(self) -> bool:
        """Whether there is a process, frozen or not."""
        return self.process is not None and self.process.is_alive

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to stop, and has not ended."""
        return self.is_up and self.runtime is not None and self.runtime.stopping

    def start(self) -> None:
        """A new process."""
        cluster = self.cluster
        process = self.process = Process(self.name, cluster.world.loop)
        handlers, aggregates = rules.RULES[self.service]
        nobody: Any = None  # tokens are not what is tried here

        def make() -> SimRuntime:
            return SimRuntime(
                self.service,
                store=cluster.stores[self.service],
                bus=cluster.bus,
                verifier=nobody,
                handlers=handlers,
                aggregates=aggregates,
                partitions=PARTITIONS,
            )

        self.runtime = process.call(make)
        self.runtime.world, self.runtime.process = cluster.world, process
        process.run(self.runtime.start())
        cluster.world.trace(lambda: f"start {self.name}")

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None and self.process.is_alive:
            self.cluster.world.trace(lambda: f"kill {self.name}")
            self.process.kill()

    async def terminate(self) -> None:
        """SIGTERM, and SIGKILL after 10 seconds."""
        process, runtime = self.process, self.runtime
        if process is None or runtime is None or not process.is_alive:
            return
        hindered: list[None] = []
        for fates in (process.at_death, process.at_freeze):
            fates.append(lambda: hindered.append(None))
        stop = process.run(runtime.stop())
        await asyncio.wait({stop}, timeout=10.0)
        if not stop.done() and not hindered:
            self.cluster.world.wrong.append(("loops", f"{self.name} did not stop in 10 s"))
        process.kill()


class Cluster:
    """All of it."""

    def __init__(self, world: World, asked: Asked) -> None:
        self.world = world
        self.bus = SimBus(world, asked.offset_reset)
        self.stores = {name: SimStore(name, world, asked.write_concern) for name in rules.REPLICAS}
        self.restored: set[str] = set()
        """Publishers that came back from an old backup."""
        self.replicas = [
            Replica(self, name, number)
            for name, count in rules.REPLICAS.items()
            for number in range(1, count + 1)
        ]

    def of(self, service: str) -> list[Replica]:
        """The replicas of a service."""
        return [one for one in self.replicas if one.service == service]

    async def call(self, replica: Replica, request: Request, patience: float = 12.0) -> Answer:
        """A command over HTTP, as its client sees it."""
        await self.bus.wire.travel()
        process, runtime = replica.process, replica.runtime
        if process is None or runtime is None or not process.is_alive:
            return REFUSED_CONNECTION
        reply: asyncio.Future[Answer] = self.world.loop.create_future()

        def tell(answer: Answer) -> None:
            if not reply.done():
                reply.set_result(answer)

        async def serve() -> None:
            tell(await _serve(runtime, request))

        def reset() -> None:
            tell(NOTHING)

        process.at_death.append(reset)
        process.run(serve())
        timer = self.world.loop.call_later(patience, reset)
        answer = await reply
        timer.cancel()
        return answer


@dataclass(frozen=True)
class Request:
    """A command: what to do, under which idempotency key, and the body that was sent."""

    key: str
    body: dict[str, Any]
    steps: tuple[Do, ...]


class _Shown(BaseModel):
    state: str


async def _serve(runtime: Runtime, request: Request) -> Answer:
    """The real `Commander`, with a request that has what it looks at."""
    try:
        for one in request.steps:
            if isinstance(one.command, rules.Take) and not await rules.admit(runtime.store, one.id):
                return Answer(409, b"", "room-full")
        commander = await http._commander(_request(runtime, request))
        response: Response = await commander.run(
            *request.steps, reply=lambda state: _Shown(state=repr(state))
        )
    except Problem as problem:
        return Answer(problem.status, b"", problem.code)
    except Refused as refused:
        return Answer(refused.status, b"", refused.code)
    except StoreError:
        return Answer(503, b"", "not-ready")
    except Exception as error:
        return Answer(500, b"", repr(error))
    body = bytes(response.body)
    code = json.loads(body)["code"] if response.status_code >= 400 else ""
    return Answer(response.status_code, body, code)


def _request(runtime: Runtime, request: Request) -> Any:
    context = Context(
        at=runtime.clock.now(), actor="client", cause="query", correlation=request.key
    )
    state = SimpleNamespace(caller=CLIENT, person_id="client", context=context, guards=())
    return SimpleNamespace(
        app=SimpleNamespace(state=SimpleNamespace(runtime=runtime)),
        state=state,
        scope={"route": SimpleNamespace(status_code=201), "path": "/commands"},
        headers={"idempotency-key": request.key},
        method="POST",
        _json=request.body,
    )
