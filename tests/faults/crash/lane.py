"""One lane: its own databases and topics, two processes, and one death after another."""

import asyncio
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from deploy.local.servers import Servers
from tests.faults.crash.checker import Databases, check
from tests.faults.crash.child import Home, Plan
from tests.faults.crash.client import Client
from tests.faults.crash.history import History
from tests.faults.crash.process import Process, Seen
from tests.faults.crash.rival import contend
from tests.faults.crash.topics import Topics

NAMES = ("shelf", "reader")
MOST_WAIT = 6.0
"""Seconds of traffic within which a planned point must be reached."""

REST = 25.0
"""Seconds after which everything must have taken effect."""

Mode = Literal["run", "new", "stop", "fresh"]
"""When it is to die: under traffic, in a new process, as it stops, at the first start ever."""


@dataclass
class Death:
    """How one plan went."""

    service: str
    plan: Plan
    mode: Mode
    history: History = field(default_factory=History)
    died: bool = False
    violations: list[str] = field(default_factory=list)
    recovery: float = 0.0
    """Seconds from the death until everything had taken effect."""


class Lane:
    """Runs plans one after another; between them everything is at rest and checked."""

    def __init__(self, name: str, servers: Servers, folder: Path, seen: Seen) -> None:
        self.name, self._seen = name, seen
        self.homes = {one: Home(one, name, servers.mongo, servers.kafka, folder) for one in NAMES}
        self.deaths: list[Death] = []
        self._client = Client(self.homes, folder / "keys")
        self._databases = Databases(servers.mongo, name)
        self._topics = Topics(servers.kafka, name)
        self._processes: dict[str, Process] = {}

    async def start(self) -> None:
        """Start both services."""
        self._client.renew()
        await asyncio.gather(*[self._revive(name) for name in NAMES])
        self._topics.start()

    async def close(self) -> None:
        """Kill what lives."""
        for process in self._processes.values():
            await process.end()
        await self._topics.close()
        await self._databases.close()
        await self._client.close()

    async def run(self, death: Death) -> None:
        """Let a service die as planned, start it again, and compare."""
        self.deaths.append(death)
        self._client.renew()
        traffic = asyncio.create_task(self._traffic(death.history))
        try:
            await self._until_dead(death)
        finally:
            since = time.monotonic()
            death.history.is_over = True
            await traffic
        await self._recover(death)
        death.recovery = time.monotonic() - since

    async def first(self, death: Death) -> None:
        """Let a service die as planned at its first start ever."""
        self._client.renew()
        other = next(name for name in NAMES if name != death.service)
        dying = self._start(death.service, death.plan)
        await asyncio.gather(self._revive(other), dying.ready(self._client.http[death.service]))
        since = time.monotonic()
        await self._bury(death)
        self.deaths.append(death)
        await self._revive(death.service)
        self._topics.start()
        await self._client.walk(death.history, f"{self.name}-0")
        await self._recover(death)
        death.recovery = time.monotonic() - since

    async def _traffic(self, history: History) -> None:
        number = 0
        while not history.is_over:
            name = f"{self.name}-{len(self.deaths)}-{number}"
            keys = [f"{name}-{key}" for key in "abc"]
            await asyncio.gather(
                self._client.walk(history, name),
                contend(self._databases, f"shelf-{name}", keys),
            )
            await asyncio.sleep(0.3 * number)  # a consumer looks around when it is quiet
            number += 1

    async def _until_dead(self, death: Death) -> None:
        process = self._processes[death.service]
        if death.mode == "new":
            await process.end()
            process = self._start(death.service, death.plan)
            await process.ready(self._client.http[death.service])
        else:
            process.arm(death.plan)
        if death.mode == "stop":
            await asyncio.sleep(0.2)
            process.signal(signal.SIGTERM)
        if death.plan.path != "boot":
            with suppress(TimeoutError):
                async with asyncio.timeout(MOST_WAIT):
                    await process.gone.wait()
        await self._bury(death)

    async def _bury(self, death: Death) -> None:
        process = self._processes[death.service]
        killed_itself = process.gone.is_set()
        code = await process.end()
        death.died = process.died_at is not None and code == -signal.SIGKILL
        if killed_itself and not death.died and death.mode != "stop":
            death.violations.append(f"{death.service} ended by itself with {code}")

    async def _recover(self, death: Death) -> None:
        for name in NAMES:
            if self._processes[name].gone.is_set():
                if name != death.service:
                    death.violations.append(f"{name} ended by itself")
                await self._revive(name)
        try:
            await self._client.settle(death.history)
        except TimeoutError:
            death.violations.append("a repeat got no answer")
        death.violations += await self._rest(death.history)

    async def _rest(self, history: History) -> list[str]:
        """What is still wrong when everything should have taken effect."""
        deadline = time.monotonic() + REST
        while True:
            found = await self._databases.waiting()
            found = found or await check(history, self._databases, self._topics)
            if not found or time.monotonic() > deadline:
                return found
            await asyncio.sleep(0.3)

    async def recheck(self) -> None:
        """Compare all rounds once more, at the very end."""
        for death in self.deaths:
            death.violations += await check(death.history, self._databases, self._topics)

    def _start(self, name: str, plan: Plan | None = None) -> Process:
        process = Process(self.homes[name], self._seen, plan)
        self._processes[name] = process
        return process

    async def _revive(self, name: str) -> None:
        if not await self._start(name).ready(self._client.http[name]):
            raise AssertionError(f"{name} ended at its start")
