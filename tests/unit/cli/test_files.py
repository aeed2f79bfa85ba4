"""Pid files, logs and folders."""

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cli.logs import logs
from cli.reset import reset
from deploy.local.folders import Folders, InUse
from deploy.local.leftovers import end_processes
from deploy.local.processes import PidFile, birth, tail
from deploy.local.rotation import KEPT, rotate
from deploy.local.stack import Stack


def test_a_pid_file_knows_its_process(tmp_path: Path) -> None:
    record = PidFile(tmp_path / "me.pid")
    record.write(os.getpid())
    assert record.pid() == os.getpid()


@pytest.mark.parametrize("content", ["", "12", "x y", "99999999 boot:1"])
def test_a_pid_file_that_names_nothing_alive_names_nothing(tmp_path: Path, content: str) -> None:
    record = PidFile(tmp_path / "it.pid")
    record.path.write_text(content)
    assert record.pid() is None


def test_a_foreign_process_with_the_recorded_number_is_left_alone(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    folders.make()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as foreign:
        (folders.run / "grants.pid").write_text(f"{foreign.pid} another-boot:1\n")
        assert end_processes(folders) == []
        assert foreign.poll() is None
        assert not folders.pid_files(), "the record is of no more use"
        foreign.communicate(b"\n")
    assert foreign.returncode == 0


def test_a_process_left_behind_is_ended(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    folders.make()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        PidFile(folders.run / "grants.pid").write(child.pid)
        assert end_processes(folders) == ["grants"]
        assert child.wait(5) != 0


def test_a_dead_process_has_no_birth() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    assert birth(child.pid) is None


def test_one_stack_per_folder(tmp_path: Path) -> None:
    with Folders(tmp_path).held():
        assert Folders(tmp_path).is_held()
        with pytest.raises(InUse), Folders(tmp_path).held():
            pass
    assert not Folders(tmp_path).is_held()


def test_a_look_at_the_folder_does_not_keep_a_stack_from_it(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    folders.make()
    with (folders.run / "up.lock").open("w") as look:
        fcntl.flock(look, fcntl.LOCK_SH)
        away = threading.Timer(0.1, fcntl.flock, (look, fcntl.LOCK_UN))
        away.start()
        with folders.held():
            pass
        away.join()


def test_the_state_of_a_killed_stack_is_not_that_of_its_successor(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    with folders.held():
        PidFile(folders.owner).write(os.getpid())
        folders.state.write_text('{"owner": 1, "phase": "ready"}')
        assert Stack.find(tmp_path) is None


def test_a_log_that_is_full_becomes_the_first_of_a_few(tmp_path: Path) -> None:
    log = tmp_path / "grants.log"
    for generation in range(KEPT + 2):
        log.write_text(f"generation {generation}\n")
        rotate(log, largest=5)
    assert log.read_text() == ""
    assert len(list(tmp_path.iterdir())) == KEPT + 1
    assert "generation 4" in (tmp_path / "grants.log.1").read_text()
    assert "generation 2" in (tmp_path / f"grants.log.{KEPT}").read_text()


def test_a_writer_goes_on_at_the_start_of_a_rotated_log(tmp_path: Path) -> None:
    log = tmp_path / "grants.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"before\n")
        rotate(log, largest=1)
        writer.write(b"after\n")
    assert log.read_text() == "after\n"


def test_a_small_log_stays(tmp_path: Path) -> None:
    log = tmp_path / "grants.log"
    rotate(log)
    log.write_text("few words")
    rotate(log)
    assert log.read_text() == "few words"


def test_the_tail_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "grants.log"
    assert tail(log) == ""
    log.write_text("\n".join(map(str, range(100))))
    assert tail(log, lines=2) == "98\n99"


def test_logs_prints_the_last_lines(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folders = Folders(tmp_path)
    folders.make()
    folders.log("grants").write_text("one\ntwo\nthree\n")
    assert logs(tmp_path, "grants", 2, follow=False) == 0
    assert capfd.readouterr().out == "two\nthree\n"


@pytest.mark.parametrize("name", ["nobody", "../keys/x", "/etc/passwd"])
def test_logs_names_the_logs_there_are(
    tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    folders = Folders(tmp_path)
    folders.make()
    folders.log("grants").touch()
    assert logs(tmp_path, name, 2, follow=False) == 1
    assert "grants" in capfd.readouterr().err


def test_reset_deletes_what_is_ours_only(tmp_path: Path) -> None:
    Folders(tmp_path).make()
    (tmp_path / "hers.txt").write_text("keep")
    assert reset(tmp_path, sure=True) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["hers.txt"]


def test_reset_of_a_running_stack_is_refused(tmp_path: Path) -> None:
    with Folders(tmp_path).held():
        assert reset(tmp_path, sure=True) == 1
        assert Folders(tmp_path).keys.exists()
