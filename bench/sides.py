"""The processes under measurement: how each side is started, watched and ended."""

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from deploy.local import ports
from deploy.local.processes import Child, Program


@dataclass(frozen=True)
class Side:
    """One way to do the work: a module that is run, and its variables."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    prefix: str = "BENCH_"


TELAR = Side("telar", ("bench.telar", "sink"))
TAKES = Side("telar", ("bench.telar", "source"))
BY_HAND = Side("by hand", ("bench.peers.by_hand",), {"BENCH_BATCH": "500"})
FASTSTREAM = Side("FastStream", ("bench.peers.fast_stream",))
FASTSTREAM_4 = Side("FastStream, 4 workers", FASTSTREAM.argv, {"BENCH_WORKERS": "4"})
FASTSTREAM_8 = Side("FastStream, 8 workers", FASTSTREAM.argv, {"BENCH_WORKERS": "8"})
FASTSTREAM_BATCHES = Side("FastStream, batches", FASTSTREAM.argv, {"BENCH_BATCH": "500"})
ONE_BY_ONE = Side("aiokafka, one by one", ("bench.peers.one_by_one",))
SENDER = Side("aiokafka alone", ("bench.peers.sender",))
FASTAPI = Side(
    "FastAPI + Motor", ("bench.peers.fast_api",), {"BENCH_POOL": "128", "BENCH_LOOP": "uvloop"}
)


@dataclass(frozen=True)
class Place:
    """Where the servers are, and where a run may keep files."""

    mongo: str
    kafka: str
    folder: Path

    @property
    def keys(self) -> Path:
        """The issuer's keys."""
        return self.folder / "keys"


@dataclass(frozen=True)
class Process:
    """One running process of a side."""

    child: Child
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Where it listens, if it does."""
        return f"http://127.0.0.1:{self.port}"

    def rss(self) -> int:
        """The memory it holds, in bytes."""
        return int(psutil.Process(self.child.pid).memory_info().rss)

    def times(self) -> tuple[float, float]:
        """The processor time it used, in seconds: its own code's, and in system calls."""
        times = psutil.Process(self.child.pid).cpu_times()
        return float(times.user), float(times.system)

    def processor_seconds(self) -> float:
        """The processor time it used."""
        return sum(self.times())

    def kill(self) -> None:
        """End it as a power cut would."""
        self.child.kill()

    def stop(self) -> None:
        """End it in good order, or by force, if it still runs."""
        self.child.stop(12)


def _start(side: Side, place: Place, sink: str, more: Mapping[str, str] | None) -> Process:
    """Start one process; what it says goes to a file of the run's folder."""
    (port,) = ports.some(1)
    log = place.folder / f"{sink}-{port}.log"
    variables = {
        "BENCH_SINK": sink,
        "BENCH_KAFKA": place.kafka,
        "BENCH_MONGO": place.mongo,
        "BENCH_PORT": str(port),
        "BENCH_JWKS": str(place.keys / "jwks.json"),
        "BENCH_LOG_FORMAT": "json",
        "BENCH_PARTITIONS": "8",
        "TELAR_DATA_DIR": str(place.folder),
        **side.environment,
        **(more or {}),
    }
    variables = {
        side.prefix + name.removeprefix("BENCH_") if name.startswith("BENCH_") else name: value
        for name, value in variables.items()
    }
    argv = (sys.executable, "-P", "-m", *side.argv)
    program = Program(side.name, argv, ready=lambda: True, environment=variables)
    return Process(Child(program, log, log.with_suffix(".pid"), signal.SIGKILL), port, log)


@contextmanager
def running(
    side: Side, place: Place, sink: str, more: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """One process for as long as the block lasts, and no longer than its parent."""
    process = _start(side, place, sink, more)
    try:
        yield process
    finally:
        process.stop()
