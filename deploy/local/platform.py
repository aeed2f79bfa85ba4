"""The whole platform on one machine: servers, services and gateway, for `telar up` and tests."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local import jars, kafka, mongo
from deploy.local.command import line
from deploy.local.fetch import fetch
from deploy.local.folders import Folders
from deploy.local.leftovers import end_processes
from deploy.local.plan import Layout, Plan
from deploy.local.processes import DiedEarly, PidFile, Program
from deploy.local.report import Report
from deploy.local.services import GATEWAY, Instance, Surroundings, is_restored
from deploy.local.supervisor import NotStarted, Supervisor
from deploy.local.unit import State, Unit

_SERVERS_PATIENCE, _SERVICES_PATIENCE = 60.0, 60.0
# Together below ten seconds: what is asked to stop is gone by then, by force if it must.
_STOP_GATEWAY, _STOP_SERVICES, _STOP_SERVERS = 2.0, 4.5, 3.0


class Platform:
    """Everything, supervised. It holds its folder; a second one on it is refused."""

    def __init__(
        self, folder: Path, plan: Plan | None = None, report: Report | None = None
    ) -> None:
        self.folders = Folders(folder.resolve())
        self.plan = plan or Plan()
        self._report = report or Report()
        self._supervisor = Supervisor(self.folders, self._report.say)
        self.stopping = self.is_up = False
        self._holding = ExitStack()
        self._units: dict[str, Unit] = {}
        self._layout = Layout()

    @property
    def kafka(self) -> str:
        """Where Kafka is."""
        return self._layout.kafka

    @property
    def mongo(self) -> str:
        """Where MongoDB is."""
        return self._layout.mongo

    @property
    def gateway(self) -> str:
        """Where the public API is."""
        return self._layout.gateway

    def urls(self, service: str) -> list[str]:
        """Where the instances of a service are."""
        return self._layout.urls(service)

    # -- life -----------------------------------------------------------------------------

    def start(self) -> Self:
        """Start all; returns when all is ready, and leaves nothing running if it is not."""
        fetch(self._report)
        self._holding.enter_context(self.folders.held())
        try:
            PidFile(self.folders.owner).write(os.getpid())
            self._recover()
            self._layout = self.plan.lay_out(self._report.say)
            self._write_down("starting")
            self._start_servers()
            self._start_services()
            self._write_down("ready")
            self.is_up = True
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop all, in the reverse order of their start, within ten seconds."""
        self.stopping, self.is_up = True, False
        with suppress(OSError):  # a full disk keeps nothing from being stopped
            self._write_down("stopping")
        units = self._supervisor.units
        gateway = [unit for unit in units if unit.name.partition("-")[0] == GATEWAY]
        servers = [unit for unit in units if unit.name in ("mongo", "kafka")]
        others = [unit for unit in units if unit not in (*gateway, *servers)]
        for group, patience in (
            (gateway, _STOP_GATEWAY),
            (others, _STOP_SERVICES),
            (servers, _STOP_SERVERS),
        ):
            self._supervisor.stop(group, patience)
        self._forget()

    def kill_all(self) -> None:
        """End all at once; the next start recovers."""
        self._supervisor.kill()
        self._forget()

    def _forget(self) -> None:
        for file in (self.folders.services_env, self.folders.state, self.folders.owner):
            file.unlink(missing_ok=True)
        self._holding.close()

    def _recover(self) -> None:
        if names := end_processes(self.folders):
            self._report.say(f"Ended what an earlier run had left: {', '.join(names)}")
        if self.folders.unfinished.exists():
            raise NotStarted("A restore was cut off: run `telar restore` again")

    def _start_servers(self) -> None:
        try:
            self._prepare_and_start_servers()
        except (DiedEarly, NotStarted) as problem:
            if jars.spoilt():
                advice = f"jars of Kafka are not what the lock names: delete {jars.folder()}"
                raise NotStarted(f"{problem}\n{advice}") from None
            raise

    def _prepare_and_start_servers(self) -> None:
        units = [
            self._unit(mongo.program(self.folders.mongo, self._layout.mongo_port)),
            self._unit(kafka.program(self.folders.kafka, self._layout.kafka_port)),
        ]
        with self._report.step("MongoDB and Kafka"), ThreadPoolExecutor(2) as pool:
            prepared = [pool.submit(self._prepare_mongo), pool.submit(self._prepare_kafka)]
            self._issue_keys()
            for unit, done in zip(units, prepared, strict=True):
                done.result()
                self._supervisor.start([unit])
            self._supervisor.wait_ready(units, _SERVERS_PATIENCE)

    def _prepare_mongo(self) -> None:
        mongo.prepare(self.folders.mongo, self._layout.mongo_port)

    def _prepare_kafka(self) -> None:
        ports = self._layout.kafka_port, self._layout.controller_port
        kafka.prepare(self.folders.kafka, *ports)

    def _issue_keys(self) -> None:
        from shared.chassis.tokens import Issuer  # noqa: PLC0415 - slow; the servers come first

        Issuer(self.folders.keys).ensure()

    def _start_services(self) -> None:
        instances = self._layout.instances
        around = Surroundings(self.folders, self.kafka, self.mongo, instances)
        around.write()
        run = [found for found in instances if found.service not in self.plan.without]
        units = [self._unit(around.program(instance)) for instance in run]
        with self._report.step(f"Services: {', '.join(unit.name for unit in units)}"):
            self._supervisor.start(units)
            self._wait_for(units, {one.name: one for one in run})

    def _wait_for(self, units: list[Unit], instances: Mapping[str, Instance]) -> None:
        """Until all are ready, but for those that wait for an operator's command."""
        try:
            self._supervisor.wait_ready(units, _SERVICES_PATIENCE)
        except NotStarted:
            waiting = [unit.name for unit in units if unit.state is not State.READY]
            if not all(is_restored(instances[name].port) for name in waiting):
                raise
            for service in sorted({instances[name].service for name in waiting}):
                adopt = line(f"telar adopt topic {service} --reason …", self.folders.root)
                self._report.say(f"{service} is older than its topic in Kafka: `{adopt}`")

    def _unit(self, program: Program) -> Unit:
        orphaned = signal.SIGKILL if self.plan.throw_away else signal.SIGTERM
        unit = Unit(program, self.folders, self._supervisor.changed, orphaned)
        self._units[unit.name] = unit
        return unit

    def _write_down(self, phase: str) -> None:
        if self._layout.instances:
            facts = {"phase": phase, "owner": os.getpid(), "data": str(self.folders.root)}
            self._supervisor.facts = facts | self._layout.facts()
            self._supervisor.write()

    # -- faults, for tests ----------------------------------------------------------------

    def pids(self) -> dict[str, int]:
        """The running processes by name."""
        return {name: unit.pid for name, unit in self._units.items() if unit.pid}

    def restarts(self, name: str) -> int:
        """How often a process was started again."""
        return self._units[name].restarts

    def kill(self, name: str) -> None:
        """End a process as a crash would; returns when that was noticed and a start is due."""
        pid = self._units[name].pid
        self._units[name].kill()
        self._until(lambda: self._units[name].pid != pid and not self._is_ready(name), name)

    def hold(self, name: str) -> None:
        """Stop a process and keep it down; returns when it is down."""
        self._units[name].hold()
        self._until(lambda: self._units[name].state is State.HELD, name)

    def start_again(self, name: str) -> None:
        """Let a held process start, and wait for nothing."""
        self._units[name].release()

    def release(self, name: str) -> None:
        """Let a held process start; returns when it is ready."""
        self.start_again(name)
        self._until(lambda: self._is_ready(name), name)

    def wait_ready(self, patience: float = 60.0) -> None:
        """Return when everything is ready again after a fault, asked anew."""
        for name in self._units:
            self._until(partial(self._answers, name), name, patience)

    def _answers(self, name: str) -> bool:
        return self._is_ready(name) and self._units[name].program.ready()

    def _is_ready(self, name: str) -> bool:
        return self._units[name].state is State.READY

    def _until(self, holds: Callable[[], bool], name: str, patience: float = 60.0) -> None:
        deadline = time.monotonic() + patience
        while not holds():
            if time.monotonic() > deadline:
                raise TimeoutError(f"after {patience:.0f} s {name} is {self._units[name].state}")
            time.sleep(0.02)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
