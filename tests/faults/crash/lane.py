"""One lane: its own databases and topics, two processes, and one misfortune after another."""

import asyncio
import signal
import time
import uuid
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from deploy.local.servers import Servers
from tests.faults.crash.checker import Databases, check
from tests.faults.crash.client import Client
from tests.faults.crash.focus import EVERYTHING, parts
from tests.faults.crash.history import History
from tests.faults.crash.plans import Harm, Home, Plan
from tests.faults.crash.process import Process, Seen
from tests.faults.crash.rival import contend
from tests.faults.crash.scenes import cut, forget
from tests.faults.crash.topics import Topics
from tests.support.wait import until

NAMES = ("shelf", "reader")
MOST_WAIT = 6.0
"""Seconds of traffic within which a planned point must be reached."""

NTH_WAIT = 2.5
"""Of them for the so-many-th time: then the next time is as good."""

LEARNING = 2
"""So many times a lane's traffic contains everything."""

REST = 25.0
"""Seconds after which everything must have taken effect."""

KILLED, STOPPED = (-signal.SIGKILL,), (0, -signal.SIGTERM)
"""How a process may end; uvicorn raises the signal again once everything is closed."""

Mode = Literal["run", "new", "stop", "fresh", "cut", "restored", "late"]
"""When it is to happen: under traffic, in a new process, as it stops, at the first start ever;
when the own topic was made anew, when the database is an old backup, when a handler is new.
"""


@dataclass
class Incident:
    """How one plan went."""

    service: str
    plan: Plan
    mode: Mode
    wide: bool = False
    """Whether traffic contains everything: what it needs by its path was in vain."""
    history: History = field(default_factory=History)
    happened: bool = False
    violations: list[str] = field(default_factory=list)
    recovery: float = 0.0
    """Seconds from the incident until everything had taken effect."""

    def __str__(self) -> str:
        return f"{self.plan}" if self.happened else f"{self.plan} (never met)"


class Lane:
    """Runs plans one after another; between them everything is at rest and checked."""

    def __init__(
        self, name: str, servers: Servers, folder: Path, seen: Seen, harm: Harm = "death"
    ) -> None:
        self.name, self._seen, self._harm = name, seen, harm
        self.homes = {
            one: Home(one, name, servers.mongo, servers.kafka, folder, harm) for one in NAMES
        }
        self.incidents: list[Incident] = []
        self._kafka = servers.kafka
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
        """Kill what lives, and leave nothing to the servers that others still use."""
        for process in self._processes.values():
            await process.end()
        await self._topics.close()
        await self._databases.drop()
        await self._client.close()

    async def run(self, incident: Incident) -> None:
        """Let it happen, start what died again, and compare."""
        self.incidents.append(incident)
        self._client.renew()
        how = {"restored": self._restored, "fresh": self._fresh, "late": self._late}
        try:
            since = await how.get(incident.mode, self._under_traffic)(incident)
            await self._recover(incident)
        except AssertionError as error:
            incident.violations.append(str(error))
            await asyncio.gather(*[self._processes[name].end() for name in NAMES])
            await asyncio.gather(*[self._revive(name) for name in NAMES])
            return
        incident.recovery = time.monotonic() - since

    async def _under_traffic(self, incident: Incident) -> float:
        traffic = asyncio.create_task(self._traffic(incident))
        try:
            await self._strike(incident)
        finally:
            since = time.monotonic()
            incident.history.close()
            await traffic
        return since

    async def _fresh(self, incident: Incident) -> float:
        """At the first start ever: nothing was there before."""
        other = next(name for name in NAMES if name != incident.service)
        process = self._start(incident.service, incident.plan)
        http = self._client.http[incident.service]
        await asyncio.gather(self._revive(other), process.ready(http))
        since = time.monotonic()
        await self._look_at(incident)
        if process.gone.is_set():
            await self._revive(incident.service)
        self._topics.start()
        await self._client.walk(incident.history, f"{self.name}-0")
        return since

    async def _restored(self, incident: Incident) -> float:
        """The database was put back from an old backup, and an operator adopts the topic."""
        history, service = incident.history, incident.service
        await self._client.walk(history, f"{self.name}-{len(self.incidents)}-0")
        incident.violations += await self._rest(history)
        await self._processes[service].end()
        await forget(self._databases, service, history.written())
        since = time.monotonic()
        await self._adopt(service, incident.plan)
        await self._look_at(incident)
        if self._processes[service].gone.is_set():
            await self._adopt(service)
        return since

    async def _late(self, incident: Incident) -> float:
        """A release that does not handle recalls, then one that does, and a backfill."""
        history, http = incident.history, self._client.http["reader"]
        history.is_late = True
        await self._processes["reader"].end()
        old = Process(replace(self.homes["reader"], release="-old"), self._seen)
        self._processes["reader"] = old
        await old.ready(http)
        await self._client.walk(history, f"{self.name}-{len(self.incidents)}-0", frozenset())
        await until(lambda: self._passed(history), within=REST)
        await old.end()
        process = self._start("reader")
        await until(self._databases.is_taken_up, within=REST)
        process.arm(incident.plan)
        once = uuid.uuid4().hex
        await self._client.backfill(once)
        await process.strikes(MOST_WAIT)
        since = time.monotonic()
        await self._look_at(incident)
        if process.gone.is_set():
            await self._revive("reader")
        await until(lambda: self._client.backfill(once), within=REST)
        return since

    async def _passed(self, history: History) -> bool:
        """Whether a reader has seen everything, and did what it could."""
        if await self._databases.waiting():
            return False
        recalls = sum(call.kind == "recall" for call in history.calls)
        passed = await self._databases.passed(history.written())
        return passed and await self._databases.recalls(history.written()) == recalls

    async def _adopt(self, service: str, plan: Plan | None = None) -> None:
        process = self._start(service, plan)
        ready = asyncio.create_task(process.ready(self._client.http[service]))
        while not ready.done():
            await self._client.adopt(service)
            await asyncio.wait({ready}, timeout=0.1)
        await ready

    async def _traffic(self, incident: Incident) -> None:
        number, history = 0, incident.history
        # At first everything, so that every path is known.
        is_narrow = len(self.incidents) > LEARNING and not incident.wide
        chosen = parts(incident.plan.path) if is_narrow else EVERYTHING
        if incident.mode == "cut":
            # Who sends everything again loses what he is to lose again: nobody would miss it.
            chosen -= {"gaps"}
        while not history.is_over:
            name = f"{self.name}-{len(self.incidents)}-{number}"
            walk = [self._client.walk(history, name, chosen)]
            if "rival" in chosen:
                walk.append(contend(self._databases, history, f"shelf-{name}", [f"{name}-a"]))
            await asyncio.gather(*walk)
            await history.over(1.0 + 0.3 * number)  # a consumer looks around when it is quiet
            number += 1

    async def _strike(self, incident: Incident) -> None:
        process = self._processes[incident.service]
        if incident.mode == "new":
            await process.end()
            process = self._start(incident.service, incident.plan)
            await process.ready(self._client.http[incident.service])
        else:
            process.arm(incident.plan)
        if incident.mode == "cut":
            database = self._databases.of(incident.service)
            await until(lambda: database["acknowledged"].count_documents({}), within=REST)
            process.loses_its_topic()
            await cut(self._kafka, f"{self.name}.telar.{incident.service}")
            await self._topics.again()
        if incident.mode == "stop":
            await asyncio.sleep(0.2)
            process.signal(signal.SIGTERM)
        if incident.plan.path != "boot":
            await self._wait_for(process, incident.plan)
        await self._look_at(incident)

    async def _wait_for(self, process: Process, plan: Plan) -> None:
        left = MOST_WAIT
        if plan.nth > 1:
            left -= NTH_WAIT
            if not await process.strikes(NTH_WAIT):
                process.arm(replace(plan, nth=1))
        await process.strikes(left)

    async def _look_at(self, incident: Incident) -> None:
        """What became of the process: it died, or it lives on, or it stopped as it was told."""
        process = self._processes[incident.service]
        incident.happened = process.happened.is_set()
        if process.struck:
            incident.plan = Plan(*process.struck, incident.plan.nth)
        dies = self._harm == "death" and incident.happened
        if incident.mode == "stop":
            expected, code = (KILLED if dies else STOPPED), await process.stopped()
        elif dies or process.gone.is_set():
            expected, code = (KILLED if dies else ()), await process.end()
        else:
            process.arm(None)
            return
        if code not in expected:
            incident.violations.append(f"{incident.service} ended with {code}")

    async def _recover(self, incident: Incident) -> None:
        for name in NAMES:
            process = self._processes[name]
            was_gone = process.gone.is_set()
            if not was_gone and await process.ready(self._client.http[name]):
                continue
            if process.struck and not incident.happened:  # while it was being told to live
                incident.happened, incident.plan = True, Plan(*process.struck, incident.plan.nth)
            elif name != incident.service or not was_gone:
                incident.violations.append(f"{name} ended by itself")
            await self._revive(name)
        await self._asked(incident, self._client.settle)
        incident.violations += await self._rest(incident.history)

    async def _asked(
        self, incident: Incident, ask: Callable[[History], Coroutine[Any, Any, None]]
    ) -> None:
        try:
            await ask(incident.history)
        except TimeoutError:
            incident.violations.append("a repeat got no answer")

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
        """Ask for what is unknown still, and compare all rounds once more, at the very end."""
        for incident in self.incidents:
            await self._asked(incident, self._client.resolve)
        for incident in self.incidents:
            incident.violations += await self._rest(incident.history)

    def _start(self, name: str, plan: Plan | None = None) -> Process:
        process = Process(self.homes[name], self._seen, plan)
        self._processes[name] = process
        return process

    async def _revive(self, name: str) -> None:
        if not await self._start(name).ready(self._client.http[name]):
            raise AssertionError(f"{name} ended at its start")
