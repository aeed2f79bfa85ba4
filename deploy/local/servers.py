"""MongoDB and Kafka for tests: real, on random ports, started in parallel, always stopped."""

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local import kafka, mongo, ports
from deploy.local.fetch import fetch
from deploy.local.processes import Child, Program

_PATIENCE = 60.0


class Servers:
    """Both servers on one folder. They die with the process that started them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mongo_port, self._kafka_port, self._controller_port = ports.some(3)
        self._children: dict[str, Child] = {}

    @property
    def mongo(self) -> str:
        """The address of MongoDB."""
        return mongo.address(self._mongo_port)

    @property
    def kafka(self) -> str:
        """The address of Kafka."""
        return kafka.address(self._kafka_port)

    def start(self) -> Self:
        """Start both; returns when both are ready, and leaves nothing running if one is not."""
        fetch()
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            _together(self.start_mongo, self.start_kafka)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop both."""
        _together(self.stop_mongo, self.stop_kafka)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start_mongo(self) -> None:
        """Start mongod; returns when it is primary."""
        folder = self._folder / "mongo"
        mongo.prepare(folder, self._mongo_port)
        self._start(mongo.program(folder, self._mongo_port))

    def start_kafka(self) -> None:
        """Start Kafka; returns when it answers."""
        folder = self._folder / "kafka"
        kafka.prepare(folder, self._kafka_port, self._controller_port)
        self._start(kafka.program(folder, self._kafka_port))

    def stop_mongo(self) -> None:
        """Stop mongod in good order."""
        self._stop("mongo")

    def stop_kafka(self) -> None:
        """Stop Kafka in good order."""
        self._stop("kafka")

    def kill_mongo(self) -> None:
        """End mongod as a power cut would."""
        self._children.pop("mongo").kill()

    def kill_kafka(self) -> None:
        """End Kafka as a power cut would."""
        self._children.pop("kafka").kill()

    def _start(self, program: Program) -> None:
        log = self._folder / f"{program.name}.log"
        record = self._folder / f"{program.name}.pid"
        child = self._children[program.name] = Child(program, log, record, signal.SIGKILL)
        child.wait_ready(_PATIENCE)

    def _stop(self, name: str) -> None:
        if child := self._children.pop(name, None):
            child.stop(child.program.grace)


def _together(*actions: Callable[[], None]) -> None:
    """Run them at the same time; the first error is raised when all have ended."""
    with ThreadPoolExecutor(len(actions)) as pool:
        for outcome in [pool.submit(action) for action in actions]:
            outcome.result()
