"""A scenario that does not begin or is told to stop: what is tried again, and what it leaves."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from deploy.local.processes import DiedEarly, birth
from tests.faults import runner
from tests.faults.runner import Scenario
from tests.support.cluster import Shape
from tests.support.wait import until

TAKEN = "kafka ended (1):\njava.net.BindException: Address already in use"


class Stubborn:
    """A cluster whose start goes as it is told to."""

    mongo = kafka = "nowhere"

    def __init__(self, *_: object) -> None:
        self.gone = threading.Event()

    def start(self, _: object) -> None:
        Stubborn.starts += 1
        Stubborn.begins(self)

    def stop(self) -> None:
        self.gone.set()
        Stubborn.stops += 1

    def begins(self) -> None:
        """What a test says."""

    starts = stops = 0


class Mounted:
    """What is around a cluster, as a mounted disk."""

    made = left = 0


@asynccontextmanager
async def mounted(_: Any) -> AsyncIterator[None]:
    Mounted.made += 1
    try:
        yield
    finally:
        await asyncio.sleep(0)  # what ends it may take its time
        Mounted.left += 1


async def body(_: Any) -> None:
    """Nothing is done."""


SCENARIO = Scenario("none", "", body, {}, {}, Shape(), (1.0, 1.0), around=mounted)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(runner, "Cluster", Stubborn)
    for one, name in ((Stubborn, "starts"), (Stubborn, "stops")):
        monkeypatch.setattr(one, name, 0)
    for name in ("made", "left"):
        monkeypatch.setattr(Mounted, name, 0)
    return tmp_path


@pytest.mark.parametrize(
    ("said", "tries"),
    [
        (TAKEN, 3),
        ("grants ended (1):\nValueError: no such setting", 1),
        ("grants was not ready in 90 s", 1),
    ],
)
async def test_a_start_is_tried_again_where_a_port_was_taken_and_else_not(
    said: str, tries: int, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begins(_: Stubborn) -> None:
        raise DiedEarly(said)

    monkeypatch.setattr(Stubborn, "begins", begins)
    with pytest.raises(DiedEarly) as failed:
        await runner.run(SCENARIO)
    assert Stubborn.starts == Mounted.made == Mounted.left == tries
    assert failed.value.__notes__ == [f"what it left: {folders / name}" for name in left(folders)]


def left(folders: Path) -> list[str]:
    return os.listdir(folders)


async def test_what_is_told_to_stop_while_it_begins_leaves_nothing(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begins(cluster: Stubborn) -> None:
        cluster.gone.wait(60)
        raise DiedEarly("kafka ended (-15)")

    monkeypatch.setattr(Stubborn, "begins", begins)
    running = asyncio.create_task(runner.run(SCENARIO))
    await until(lambda: asyncio.sleep(0, Stubborn.starts))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (Stubborn.stops, Mounted.left) == (1, 1)
    assert left(folders) == []


WORKS = """
import os, time
from tests.faults.orderly import stops_when_told, workers
stops_when_told()
with workers(1) as pool:
    print(pool.submit(os.getpid).result(), flush=True)
    pool.submit(time.sleep, 60).result()
"""


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_the_processes_of_a_run_that_is_told_to_stop_or_killed_end_with_it(ending: int) -> None:
    command = [sys.executable, "-c", WORKS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        assert run.stdout is not None
        worker = int(run.stdout.readline())
        run.send_signal(ending)
        try:
            run.wait(20)
            deadline = time.monotonic() + 20
            while birth(worker) and time.monotonic() < deadline:
                time.sleep(0.02)
            assert birth(worker) is None
        finally:
            run.kill()
            with suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)


STOPPED = """
import asyncio
from tests.faults.orderly import stops_when_told

async def wait():
    try:
        print("waits", flush=True)
        await asyncio.sleep(60)
    finally:
        print("cleaned", flush=True)

stops_when_told()
asyncio.run(wait())
"""


def test_a_run_in_the_background_of_a_shell_stops_in_order_too() -> None:
    ignores = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as its children are started
    try:
        child = subprocess.Popen([sys.executable, "-c", STOPPED], stdout=subprocess.PIPE)
    finally:
        signal.signal(signal.SIGINT, ignores)
    assert child.stdout
    assert child.stdout.readline() == b"waits\n"
    child.terminate()
    said, _ = child.communicate(timeout=30)
    assert said == b"cleaned\n"
