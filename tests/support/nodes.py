"""The servers of a test's cluster: one broker or three, one member of a replica set or three."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from deploy.local import kafka, mongo, ports
from deploy.local.processes import Program


class Brokers:
    """Kafka: each node a broker and a controller. `advertised` may be the port of a proxy."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder, self.count = folder, count
        self.ports, self._controllers = ports.some(count), ports.some(count)
        self.advertised: dict[int, int] = {}

    @property
    def address(self) -> str:
        """What clients of the test bootstrap from."""
        return ",".join(kafka.address(port) for port in self.ports)

    def data(self, number: int = 0) -> Path:
        """The logs of one node."""
        return self._node(number) / "data"

    def programs(self) -> list[Program]:
        """All nodes, formatted and ready to start."""
        return [self._program(number) for number in range(self.count)]

    def _node(self, number: int) -> Path:
        return self._folder / str(number + 1)

    def _program(self, number: int) -> Program:
        folder, port = self._node(number), self.ports[number]
        if not (folder / "data" / "meta.properties").exists():
            self._format(number)
        settings = folder / "server.properties"
        settings.write_text(self._settings(number))
        name = "kafka" if number == 0 else f"kafka-{number + 1}"
        return replace(kafka.program(folder, port), name=name)

    def _format(self, number: int) -> None:
        """Each node formats its own folder, by the settings of the whole."""
        folder = self._node(number)
        kafka.prepare(folder, self.ports[number], self._controllers[number])
        meta = folder / "data" / "meta.properties"
        meta.write_text(meta.read_text().replace("node.id=1", f"node.id={number + 1}"))

    def _settings(self, number: int) -> str:
        folder, port = self._node(number), self.ports[number]
        kafka.prepare(folder, port, self._controllers[number])
        voters = ",".join(
            f"{n}@127.0.0.1:{port}" for n, port in enumerate(self._controllers, start=1)
        )
        shown = self.advertised.get(number, port)
        changed = {
            "node.id": str(number + 1),
            "controller.quorum.voters": voters,
            "advertised.listeners": f"CLIENTS://127.0.0.1:{shown}",
        }
        if self.count > 1:
            changed |= {
                "offsets.topic.replication.factor": "3",
                "default.replication.factor": "3",
                "min.insync.replicas": "2",
                "controller.quorum.election.timeout.ms": "500",
                "controller.quorum.fetch.timeout.ms": "1000",
            }
        lines = (folder / "server.properties").read_text().splitlines()
        kept = [line for line in lines if line.split("=")[0] not in changed]
        return "\n".join([*kept, *(f"{name}={value}" for name, value in changed.items())]) + "\n"


class Members:
    """MongoDB as a replica set."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder, self.count = folder, count
        self.ports = ports.some(count)

    @property
    def address(self) -> str:
        """What clients connect to."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"mongodb://{hosts}/?replicaSet=rs0"

    def programs(self) -> list[Program]:
        """All members."""
        return [self._program(number) for number in range(self.count)]

    def _program(self, number: int) -> Program:
        folder, port = self._folder / str(number + 1), self.ports[number]
        mongo.prepare(folder, port)
        program = mongo.program(folder, port)
        name = "mongo" if number == 0 else f"mongo-{number + 1}"
        ready: Callable[[], bool] = partial(answers, port) if self.count > 1 else program.ready
        return replace(program, name=name, ready=ready)

    def join(self) -> None:
        """Make the members one set, the first time; returns when there is a primary."""
        if self.count == 1:
            return
        members = [{"_id": n, "host": f"127.0.0.1:{port}"} for n, port in enumerate(self.ports)]
        settings = {"electionTimeoutMillis": 2000}
        config = {"_id": "rs0", "version": 1, "members": members, "settings": settings}
        with _direct(self.ports[0]) as client:
            if "setName" not in client.admin.command("hello"):
                client.admin.command("replSetInitiate", config)
        deadline = time.monotonic() + 30
        while self.primary() is None:
            if time.monotonic() > deadline:
                raise TimeoutError("the replica set has no primary")
            time.sleep(0.1)

    def primary(self) -> str | None:
        """The name of the member that takes writes now."""
        for number, port in enumerate(self.ports):
            if _hello(port).get("isWritablePrimary"):
                return "mongo" if number == 0 else f"mongo-{number + 1}"
        return None

    def step_down(self) -> None:
        """Ask the primary to let another member take its place."""
        for port in self.ports:
            if _hello(port).get("isWritablePrimary"):
                with _direct(port) as client:
                    client.admin.command("replSetStepDown", 10, secondaryCatchUpPeriodSecs=5)
                return


def answers(port: int) -> bool:
    """Whether a member answers at all."""
    return bool(_hello(port))


def _hello(port: int) -> dict[str, Any]:
    try:
        with _direct(port) as client:
            return dict(client.admin.command("hello"))
    except PyMongoError:
        return {}


def _direct(port: int) -> MongoClient[dict[str, Any]]:
    return MongoClient(
        f"mongodb://127.0.0.1:{port}/?directConnection=true",
        serverSelectionTimeoutMS=1500,
        connectTimeoutMS=1500,
        socketTimeoutMS=8000,
    )
