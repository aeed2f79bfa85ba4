"""The one-machine stack: real servers, supervised processes that die, and `telar` itself."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from errno import ENOSPC
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pymongo import MongoClient

from deploy.local.folders import Folders
from deploy.local.ports import is_free
from deploy.local.processes import PidFile, Program, birth
from deploy.local.servers import Servers
from deploy.local.unit import Patience, State, Unit

SERVICE = """
import http.server, os, signal, sys
name = __spec__.name.split(".")[1].upper()
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *words):
        pass
stubborn = os.environ.get("STUBBORN") == name
signal.signal(signal.SIGTERM, signal.SIG_IGN if stubborn else lambda *_: sys.exit(0))
print("hello from", name, flush=True)
if os.environ.get("BROKEN") == name:
    sys.exit("this cannot work")
http.server.HTTPServer(("127.0.0.1", int(os.environ[name + "_PORT"])), Ready).serve_forever()
"""


def until(look: Callable[[], Any], within: float = 20.0) -> Any:
    """What `look` returns once it is true."""
    deadline = time.monotonic() + within
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {within} s; last seen: {seen!r}"
        time.sleep(0.05)
    return seen


# -- servers --------------------------------------------------------------------------------


@pytest.mark.timeout(90)
async def test_what_was_acknowledged_survives_a_kill_of_mongod_and_a_stop_of_kafka(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "C")  # where Java alone would know no letter of the folder
    with Servers(tmp_path / "Programación de año") as servers:
        with (
            MongoClient[dict[str, Any]](servers.mongo, w="majority") as client,
            client.start_session() as session,
            session.start_transaction(),
        ):
            client.a.b.insert_one({"n": 1}, session=session)
        await _send(servers.kafka)
        servers.kill_mongo()
        servers.stop_kafka()
        servers.start_mongo()
        servers.start_kafka()
        with MongoClient[dict[str, Any]](servers.mongo) as client:
            assert client.a.b.count_documents({}) == 1
        assert await _read(servers.kafka) == b"kept"


async def _send(kafka: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic("facts", 1, 1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all") as producer:
        await producer.send_and_wait("facts", b"kept")


async def _read(kafka: str) -> bytes | None:
    async with AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition("facts", 0)])
        return (await consumer.getone()).value


def test_servers_die_with_the_process_that_started_them(tmp_path: Path) -> None:
    code = (
        "import signal; from pathlib import Path; from deploy.local.servers import Servers;"
        f"Servers(Path({str(tmp_path)!r})).start(); print('up', flush=True); signal.pause()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as test:
        assert test.stdout is not None
        assert test.stdout.readline() == b"up\n"
        pids = [PidFile(tmp_path / f"{name}.pid").pid() for name in ("mongo", "kafka")]
        assert all(pids)
        test.kill()
    until(lambda: not any(birth(pid or 0) for pid in pids))


# -- one supervised process -----------------------------------------------------------------

QUICK = Patience(backoff=0.05, deaths=3, glance=0.02, check=0.05)


class Watched:
    """A unit, and what was said about it."""

    def __init__(self, folder: Path, code: str, ready: Callable[[], bool] = lambda: True) -> None:
        folders = Folders(folder)
        folders.make()
        self.said: list[str] = []
        program = Program("it", (sys.executable, "-c", code), ready)
        self.unit = Unit(program, folders, self._changed, patience=QUICK)
        self.unit.start()

    def _changed(self, unit: Unit, why: str) -> None:
        self.said.append(f"{unit.state} {why}".strip())

    def reaches(self, state: State) -> None:
        until(lambda: self.unit.state is state)

    def end(self) -> None:
        self.unit.stop(time.monotonic() + 5)
        self.unit.join()


def test_a_process_that_dies_is_started_again(tmp_path: Path) -> None:
    it = Watched(tmp_path, "import signal; signal.pause()")
    it.reaches(State.READY)
    first = it.unit.pid
    it.unit.kill()
    until(lambda: it.unit.restarts == 1 and it.unit.state is State.READY)
    assert it.unit.pid != first
    it.end()
    assert it.unit.state is State.STOPPED
    assert any("SIGKILL" in words for words in it.said)


def test_a_process_that_keeps_dying_is_given_up_with_its_last_lines(tmp_path: Path) -> None:
    it = Watched(tmp_path, "print('I need a lamp'); raise SystemExit(7)", ready=lambda: False)
    it.reaches(State.FAILED)
    it.end()
    assert it.unit.restarts == 2
    assert "I need a lamp" in it.said[-1]
    assert "code 7" in it.said[-1]


def test_a_process_that_was_ready_once_is_never_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk lasts longer than five attempts, and somebody would have to come back."""
    trouble = tmp_path / "trouble"
    code = f"import os, signal; os.path.exists({str(trouble)!r}) and exit(1); signal.pause()"
    it = Watched(tmp_path, code)
    it.reaches(State.READY)
    trouble.touch()
    it.unit.kill()
    until(lambda: it.unit.restarts > 2 * QUICK.deaths)

    def full(*_: object) -> None:
        raise OSError(ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(PidFile, "write", full)
        until(lambda: any("No space left" in words for words in it.said))
    trouble.unlink()
    it.reaches(State.READY)
    it.end()


def test_a_held_process_stays_down_until_it_is_released(tmp_path: Path) -> None:
    it = Watched(tmp_path, "import signal; signal.pause()")
    it.reaches(State.READY)
    it.unit.hold()
    it.reaches(State.HELD)
    assert it.unit.pid is None
    it.unit.release()
    it.reaches(State.READY)
    assert it.unit.restarts == 0
    it.end()


def test_a_process_that_does_not_want_to_end_is_made_to(tmp_path: Path) -> None:
    code = "import signal; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True)\n"
    it = Watched(tmp_path, code + "while True: signal.pause()")
    until(lambda: "deaf" in it.unit.log.read_text() if it.unit.log.exists() else "")
    pid = it.unit.pid
    it.unit.stop(time.monotonic() + 0.2)
    it.unit.join()
    assert birth(pid or 0) is None


def test_a_process_that_stops_answering_is_shown_as_such(tmp_path: Path) -> None:
    answers = iter([False, True, False])
    it = Watched(tmp_path, "import signal; signal.pause()", ready=lambda: next(answers, True))
    until(lambda: len(it.said) == 4)
    assert it.said == ["starting", "ready", "not ready not ready", "ready ready again"]
    it.end()


# -- the command ----------------------------------------------------------------------------


class Telar:
    """The command, with three services of one page, on a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        services = folder / "code" / "services"
        for name in ("gateway", "grants", "trade"):
            (services / name).mkdir(parents=True)
            (services / name / "__main__.py").write_text(SERVICE)
        (services / "__init__.py").touch()
        self._environment = {**os.environ, "PYTHONPATH": str(folder / "code"), "NO_COLOR": "1"}

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "cli", *words, "--data-dir", str(self.data)],
            env={**self._environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str, **variables: str) -> tuple[int, str, str]:
        process = self.start(*words, **variables)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def status(self) -> dict[str, dict[str, Any]]:
        _, out, _ = self("status", "--json")
        return {row["name"]: row for row in json.loads(out)["processes"]}


@pytest.fixture
def telar(tmp_path: Path) -> Iterator[Telar]:
    command = Telar(tmp_path)
    yield command
    code, _, err = command("down")
    assert code == 0, err


@pytest.mark.timeout(90)
def test_up_status_env_logs_and_down(telar: Telar) -> None:
    code, _, err = telar("up", "--detach", "--replicas", "grants=2", "--without", "trade")
    assert code == 0, err
    assert "\x1b" not in err, "plain lines where there is no terminal"
    rows = telar.status()
    assert list(rows) == ["mongo", "kafka", "gateway", "grants", "grants-2"]
    assert all(row["memory"] > 0 and row["restarts"] == 0 for row in rows.values())
    _, out, _ = telar("env")
    assert f"TELAR_GATEWAY={rows['gateway']['address']}" in out
    variables = (telar.data / "run" / "services.env").read_text()
    assert "TRADE_PORT" in variables, "what is left to the debugger has its place"
    assert "hello from GRANTS" in telar("logs", "grants-2")[1]
    assert "already up" in telar("up", "--detach")[2].lower()
    assert telar("up")[0] == 1
    assert telar("down")[0] == 0
    assert telar("status")[0] == 3
    assert [file.name for file in (telar.data / "run").iterdir()] == ["up.lock"]


@pytest.mark.timeout(120)
def test_what_a_killed_telar_leaves_is_ended_and_taken_ports_are_passed_over(
    telar: Telar,
) -> None:
    assert telar("up", "--detach", STUBBORN="GRANTS")[0] == 0
    before = telar.status()
    os.kill(PidFile(Folders(telar.data).owner).pid() or 0, signal.SIGKILL)
    deaf = before["grants"]["pid"]
    others = [row["pid"] for row in before.values() if row["pid"] != deaf]
    until(lambda: not any(map(birth, others)), within=10)
    assert birth(deaf), "it heard SIGTERM and went on"
    taken = _port(before["mongo"])
    until(lambda: is_free(taken), within=10)  # threads of a dead process may hold it a moment more
    with socket.create_server(("127.0.0.1", taken)):
        code, _, err = telar("up", "--detach")
    assert code == 0, err
    assert "Ended what an earlier run had left: grants" in err
    assert "are in use: taking" in err
    assert birth(deaf) is None
    after = telar.status()
    assert _port(after["mongo"]) > _port(before["mongo"])
    assert all(row["state"] == "ready" for row in after.values())


@pytest.mark.timeout(90)
def test_a_stop_is_in_order_where_the_state_cannot_be_written(telar: Telar) -> None:
    assert telar("up", "--detach")[0] == 0
    pids = [row["pid"] for row in telar.status().values()]
    blocked = Folders(telar.data).state.with_suffix(".new")
    blocked.mkdir()
    assert telar("down")[0] == 0
    blocked.rmdir()
    assert not any(map(birth, pids))
    assert "Traceback" not in telar("logs", "up")[1]
    assert [file.name for file in (telar.data / "run").iterdir()] == ["up.lock"]


def _port(row: dict[str, Any]) -> int:
    return int(row["address"].rpartition(":")[2].partition("/")[0])


@pytest.mark.timeout(90)
def test_a_service_that_cannot_start_ends_up_with_its_last_words(telar: Telar) -> None:
    code, _, err = telar("up", BROKEN="TRADE")
    assert code == 1
    assert "this cannot work" in err
    assert "trade does not start" in err
    assert not list((telar.data / "run").glob("*.pid")), "nothing is left running"


@pytest.mark.timeout(90)
def test_the_first_signal_stops_all_in_order_and_the_second_at_once(telar: Telar) -> None:
    up = telar.start("up", STUBBORN="TRADE")
    assert up.stderr is not None
    until(lambda: "Ready." in up.stderr.readline() if up.stderr else "", within=40)
    pids = [row["pid"] for row in telar.status().values()]
    up.send_signal(signal.SIGINT)
    state = Folders(telar.data).state
    until(lambda: '"stopping"' in state.read_text(), within=5)
    up.send_signal(signal.SIGINT)
    begun = time.monotonic()
    up.communicate(timeout=20)
    assert up.returncode == 130
    assert time.monotonic() - begun < 2
    until(lambda: not any(map(birth, pids)), within=5)
