"""A fault counts only if it was seen to happen: what looks for one can also not see it."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.processes import Child, Program
from tests.faults.checker.outside import SUBSCRIBERS, Outside
from tests.faults.scenarios.machine import has_met
from tests.faults.scenarios.records import are_at_nought
from tests.support.cluster import SERVICES, Cluster
from tests.support.proxy import Proxy
from tests.support.wait import until

WAITS = "import time; print('up', flush=True); time.sleep(60)"
IGNORES = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAITS}"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.stop()


async def _started(cluster: Cluster, name: str, code: str) -> Child:
    program = Program(name, (sys.executable, "-c", code), lambda: True)
    record = cluster.folders.run / f"{name}.pid"
    child = Child(program, cluster.log(name), record, signal.SIGKILL)
    cluster._children[name] = child
    await until(lambda: asyncio.sleep(0, cluster.log(name).read_bytes() or not child.alive))
    return child


async def test_a_process_that_went_when_it_was_asked_to_is_seen(cluster: Cluster) -> None:
    await _started(cluster, "grants", WAITS)
    cluster.terminate("grants")
    assert cluster.ended_in_order("grants")
    assert not cluster.ended_in_order("trade")


@pytest.mark.parametrize("code", ["raise SystemExit(1)", "", "import os; os.kill(os.getpid(), 15)"])
async def test_a_process_that_had_ended_before_was_not_stopped(cluster: Cluster, code: str) -> None:
    child = await _started(cluster, "grants", code)
    await until(lambda: asyncio.sleep(0, not child.alive))
    cluster.terminate("grants")
    assert not cluster.ended_in_order("grants")


async def test_a_process_that_had_to_be_killed_did_not_go_in_order(cluster: Cluster) -> None:
    await _started(cluster, "grants", IGNORES)
    cluster.terminate("grants", within=0.1)
    assert not cluster.ended_in_order("grants")


async def test_a_full_disk_counts_once_its_server_met_it(cluster: Cluster) -> None:
    child = await _started(cluster, "mongo", WAITS)
    log = cluster.log("mongo")
    log.write_bytes(b"No space left on device\n")
    told = log.stat().st_size
    assert not has_met(cluster, "mongo", told)
    log.write_bytes(log.read_bytes() + b"pwrite: No space left on device\n")
    assert has_met(cluster, "mongo", told)
    assert not has_met(cluster, "mongo", log.stat().st_size)
    child.kill()
    assert has_met(cluster, "mongo", log.stat().st_size)


async def test_a_wire_counts_what_was_cut_and_not_what_was_not_there() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(10))
        await reader.read(10)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, Proxy(server.sockets[0].getsockname()[1]) as wire:
        wire.cut()
        assert wire.cuts == 0
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write(b"x")
        assert await reader.read(1) == b"x"
        wire.cut()
        assert wire.cuts == 2
        assert await reader.read(1) == b""
        writer.close()


class Stored(Outside):
    """Offsets as some services stored them."""

    def __init__(self, offsets: dict[str, list[dict[str, Any]]]) -> None:
        self._offsets = offsets

    def all(self, service: str, collection: str, **_: int) -> list[dict[str, Any]]:
        assert collection == "offsets"
        return self._offsets[service]


def _at(offset: int) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {service: [] for service in SERVICES}
    for publisher, readers in SUBSCRIBERS.items():
        for reader in readers:
            found[reader].append({"_id": f"telar.{publisher}/0", "next": offset})
    return found


def test_offsets_are_at_nought_when_each_of_them_is_there_and_nought() -> None:
    ended = {(f"telar.{publisher}", n): 9 * (1 - n) for publisher in SUBSCRIBERS for n in (0, 1)}
    assert are_at_nought(Stored(_at(0)), ended)
    assert not are_at_nought(Stored(_at(1)), ended)
    assert not are_at_nought(Stored({**_at(0), "trade": []}), ended)
    assert not are_at_nought(Stored(_at(0)), dict.fromkeys(ended, 0))
