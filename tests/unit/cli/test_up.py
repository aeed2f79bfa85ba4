"""`telar up` and what it meets: signals, folders that cannot be used."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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
