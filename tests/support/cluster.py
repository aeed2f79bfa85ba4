"""A whole platform whose every process a test may kill, freeze, multiply or start differently.

Nobody supervises: what dies stays down until the test starts it again. One or three brokers, one
or three members of the replica set; services as they are, or by a launcher that changes their
surroundings (their clock, their limits, where they find the servers).
"""

import os
import signal
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local import ports
from deploy.local.fetch import fetch
from deploy.local.folders import Folders
from deploy.local.processes import Child, DiedEarly, Program, tail
from deploy.local.services import GATEWAY, Instance, Surroundings
from shared.chassis.tokens import Issuer
from tests.support.nodes import Brokers, Members

SERVICES = ("enrollment", "training", "grants", "trade", GATEWAY)
READY = 90.0
"""Seconds that a process may take until it is ready, on a busy machine."""


@dataclass(frozen=True)
class Shape:
    """What a cluster consists of."""

    replicas: Mapping[str, int] = field(default_factory=dict)
    """How many instances of each service may run; one unless it says otherwise."""
    services: tuple[str, ...] = SERVICES
    brokers: int = 1
    members: int = 1
    variables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """More variables of one instance, by name, or of all, under no name."""
    launcher: str | None = None
    """A module that is run with the service's name instead of the service itself."""


class Cluster:
    """The processes of one platform, by name: grants, grants-2, kafka, mongo …"""

    def __init__(self, folder: Path, shape: Shape | None = None) -> None:
        self.folders, self.shape = Folders(folder), shape or Shape()
        self.folders.make()
        self.brokers = Brokers(folder / "kafka", self.shape.brokers)
        self.members = Members(folder / "mongo", self.shape.members)
        self._instances = self._lay_out()
        self._children: dict[str, Child] = {}
        self.variables = {name: dict(more) for name, more in self.shape.variables.items()}
        self.exits: list[tuple[str, int | None]] = []
        """How each process ended that was killed or stopped; None: it had ended before."""

    def _lay_out(self) -> dict[str, Instance]:
        wanted = [
            (name, number)
            for name in self.shape.services
            for number in range(1, self.shape.replicas.get(name, 1) + 1)
        ]
        free = ports.some(len(wanted))
        found = [Instance(name, n, port) for (name, n), port in zip(wanted, free, strict=True)]
        return {instance.name: instance for instance in found}

    # -- where everything is --------------------------------------------------------------

    @property
    def mongo(self) -> str:
        """The address of MongoDB, for a client of the test's own."""
        return self.members.address

    @property
    def kafka(self) -> str:
        """The address of Kafka, for a client of the test's own."""
        return self.brokers.address

    @property
    def keys(self) -> Path:
        """The issuer's keys."""
        return self.folders.keys

    def urls(self, service: str) -> list[str]:
        """Where the running instances of a service are."""
        found = [one for one in self._instances.values() if one.service == service]
        return [one.url for one in found if self.runs(one.name)]

    def urls_of(self, name: str) -> list[str]:
        """Where one instance is, running or not."""
        return [self._instances[name].url]

    def instances(self) -> list[str]:
        """The names of all service processes that run."""
        return [name for name in self._instances if self.runs(name)]

    def log(self, name: str) -> Path:
        """What a process said."""
        return self.folders.log(name)

    # -- life -----------------------------------------------------------------------------

    def start(self, replicas: Mapping[str, int] | None = None) -> Self:
        """Servers, then services; as many instances as `replicas` says, else all."""
        fetch()
        try:
            Issuer(self.keys).ensure()
            programs = [*self.brokers.programs(), *self.members.programs()]
            self._together(programs)
            self.members.join()
            wanted = [
                name
                for name, one in self._instances.items()
                if one.number <= (replicas or {}).get(one.service, 99)
            ]
            self.launch(*wanted)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End everything at once: what it holds is thrown away with its folder."""
        ended = []
        while self._children:
            ended.append(self._children.popitem()[1])
            ended[-1].send(signal.SIGKILL)
        for child in ended:
            child.kill()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def launch(self, *names: str) -> None:
        """Start these processes; returns when all are ready."""
        self._together([self._program(name) for name in names])

    def spawn(self, name: str) -> None:
        """Start a process without waiting for anything."""
        program = self._program(name)
        record = self.folders.run / f"{name}.pid"
        self._children[name] = Child(program, self.log(name), record, signal.SIGKILL)

    def wait_ready(self, *names: str, within: float = READY) -> None:
        """Return when these (or all that run) are ready."""
        for name in names or tuple(self._children):
            self._children[name].wait_ready(within)

    def _together(self, programs: Iterable[Program]) -> None:
        wanted = list(programs)
        for program in wanted:
            record = self.folders.run / f"{program.name}.pid"
            log = self.log(program.name)
            self._children[program.name] = Child(program, log, record, signal.SIGKILL)
        with ThreadPoolExecutor(8) as pool:
            waits = [pool.submit(self._children[one.name].wait_ready, READY) for one in wanted]
        for done in waits:
            done.result()
        for one in wanted:  # or somebody else answers where it was to listen
            if not self.runs(one.name):
                raise DiedEarly(f"{one.name} ended: {tail(self.log(one.name))}")

    def _program(self, name: str) -> Program:
        if name in self._instances:
            return self._service(self._instances[name])
        programs = [*self.brokers.programs(), *self.members.programs()]
        return next(program for program in programs if program.name == name)

    def _service(self, instance: Instance) -> Program:
        around = Surroundings(self.folders, self.kafka, self.mongo, tuple(self._instances.values()))
        program = around.program(instance)
        argv = program.argv
        if self.shape.launcher is not None:
            argv = (*argv[:-1], self.shape.launcher, instance.service)
        more = {**self.variables.get("", {}), **self.variables.get(instance.name, {})}
        named = {key.replace("SERVICE", instance.service.upper()): more[key] for key in more}
        limits = {
            "GATEWAY_RATE": "100000",
            "GATEWAY_BURST": "100000",
            f"{instance.service.upper()}_REPLICATION": str(self.brokers.count),
        }
        return replace(program, argv=argv, environment={**program.environment, **limits, **named})

    # -- faults ---------------------------------------------------------------------------

    def pid(self, name: str) -> int:
        """The process behind a name."""
        return self._children[name].pid

    def runs(self, name: str) -> bool:
        """Whether it is alive (a frozen process is)."""
        child = self._children.get(name)
        return child is not None and child.alive

    def is_ready(self, name: str) -> bool:
        """Whether it answers that it is ready."""
        return self.runs(name) and self._children[name].program.ready()

    def kill(self, name: str) -> None:
        """End it at once, as a crash would."""
        child = self._children[name]
        child.kill()
        self.exits.append((name, child.exit_code))

    def terminate(self, name: str, within: float = 15.0) -> float:
        """SIGTERM; the seconds until it was gone. It is not waited for any more."""
        child, begun = self._children.pop(name), time.monotonic()
        asked = child.alive
        child.send(signal.SIGTERM)
        deadline = begun + within
        while child.alive and time.monotonic() < deadline:
            time.sleep(0.01)
        taken = time.monotonic() - begun
        child.stop(0.0)
        self.exits.append((name, child.exit_code if asked else None))
        return taken

    def ended_in_order(self, name: str) -> bool:
        """Whether this is the last that was stopped, and it went by itself once it was asked to."""
        return self.exits[-1:] in ([(name, 0)], [(name, -signal.SIGTERM)])

    def freeze(self, name: str) -> None:
        """SIGSTOP; returns when the kernel says that it stands still."""
        os.kill(self.pid(name), signal.SIGSTOP)
        while not self.is_frozen(name):
            time.sleep(0.005)

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        os.kill(self.pid(name), signal.SIGCONT)

    def is_frozen(self, name: str) -> bool:
        """Whether it stands still."""
        status = Path(f"/proc/{self.pid(name)}/stat").read_text().rpartition(")")[2].split()
        return status[0] == "T"
