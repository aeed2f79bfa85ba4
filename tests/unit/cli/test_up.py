"""`telar up` and what it meets: signals, folders that cannot be used, folders that others hold."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli.background import detached
from cli.down import down
from cli.up import Wish
from deploy.local.folders import Folders
from deploy.local.plan import Plan
from deploy.local.processes import PidFile

SIGNALS = """
import os, signal
from rich.console import Console
from cli.up import Interrupted, Signals
class Platform:
    stopping = False
    def kill_all(self):
        os.write(copy, b"killed")
copy = os.dup(1)
Signals(Platform(), Console())
for name in {names}:
    try:
        os.kill(os.getpid(), getattr(signal, name))
    except Interrupted:
        os.write(copy, b"interrupted ")
os.write(copy, b"over")
"""


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["SIGHUP", "SIGHUP"], "interrupted over"),
        (["SIGINT", "SIGHUP"], "interrupted over"),
        (["SIGINT", "SIGINT"], "interrupted killed"),
        (["SIGHUP", "SIGTERM"], "interrupted killed"),
    ],
)
def test_a_closed_terminal_is_no_second_wish(names: list[str], said: str) -> None:
    code = SIGNALS.format(names=names)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == said, done.stderr


def telar(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "cli", *words],
        env={**os.environ, **variables, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def useless(tmp_path: Path) -> Path:
    """A folder that nobody can make or read, root neither."""
    (tmp_path / "file").touch()
    return tmp_path / "file" / "folder"


@pytest.mark.parametrize("command", [["status"], ["up", "--detach"], ["down"], ["reset", "--yes"]])
def test_a_data_folder_that_cannot_be_used_is_told_in_one_line(
    useless: Path, command: list[str]
) -> None:
    done = telar(*command, "--data-dir", str(useless))
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.returncode == (0 if command == ["reset", "--yes"] else 1)


@pytest.mark.parametrize("command", [["up"], ["up", "--ephemeral"]])
def test_a_cache_that_cannot_be_written_is_told_in_one_line(
    useless: Path, tmp_path: Path, command: list[str]
) -> None:
    done = telar(*command, "--data-dir", str(tmp_path / "data"), XDG_CACHE_HOME=str(useless))
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if str(useless) in line] != []
    assert "Traceback" not in done.stderr


def test_the_doctor_says_all_it_can(useless: Path) -> None:
    done = telar("doctor", "--json", "--data-dir", str(useless))
    assert done.returncode == 1, done.stderr
    found = {check["name"]: check for check in json.loads(done.stdout)}
    assert len(found) == 9
    assert found["permissions"]["verdict"] == "bad"
    assert found["processes"]["verdict"] == "bad"
    assert str(useless) in found["processes"]["found"]


# -- a folder that somebody holds -----------------------------------------------------------


def test_down_leaves_the_mongod_of_a_backup_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = Folders(tmp_path)
    with (
        folders.held(),
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as mongod,
    ):
        PidFile(folders.run / "mongo.pid").write(mongod.pid)
        assert down(tmp_path) == 1
        assert "backup" in capsys.readouterr().err
        assert mongod.poll() is None
        mongod.communicate(b"\n")
    assert mongod.returncode == 0


def test_down_makes_no_folder(tmp_path: Path) -> None:
    assert down(tmp_path / "none") == 0
    assert not (tmp_path / "none").exists()


def test_a_detached_start_beside_a_backup_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Folders(tmp_path).held():
        assert detached(Wish(tmp_path, Plan())) == 1
    assert "A backup" in capsys.readouterr().err


@pytest.mark.parametrize(("phase", "code"), [("ready", 0), ("starting", 1), ("stopping", 1)])
def test_only_a_stack_that_is_ready_is_up_already(
    tmp_path: Path, phase: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = Folders(tmp_path)
    with folders.held():
        PidFile(folders.owner).write(os.getpid())
        state: dict[str, Any] = {"phase": phase, "owner": os.getpid(), "data": str(tmp_path)}
        state |= {"kafka": "", "mongo": "", "gateway": "", "services": {}, "units": []}
        folders.state.write_text(json.dumps(state))
        assert detached(Wish(tmp_path, Plan())) == code
    assert ("Already up" if code == 0 else phase) in capsys.readouterr().err
