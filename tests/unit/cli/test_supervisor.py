"""What is kept running stays in somebody's hands, on a full disk too."""

import shutil
import signal
import sys
import time
from collections.abc import Callable
from errno import ENOSPC
from pathlib import Path
from typing import cast

import psutil
import pytest

from deploy.local.folders import Folders
from deploy.local.processes import Child, Program, birth
from deploy.local.rotation import rotate
from deploy.local.supervisor import Supervisor
from deploy.local.unit import Patience, State, Unit

WAITS = "import signal; signal.pause()"


def full(*words: object) -> None:
    raise OSError(ENOSPC, "No space left on device")


def program(code: str = WAITS, ready: Callable[[], bool] = lambda: True) -> Program:
    return Program("it", (sys.executable, "-c", code), ready)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    folders = Folders(tmp_path)
    folders.make()
    return folders


@pytest.mark.parametrize("say", [print, full])
def test_a_unit_whose_state_cannot_be_written_is_kept_running_and_stopped(
    folders: Folders, say: Callable[[str], None]
) -> None:
    supervisor = Supervisor(folders, say)
    unit = Unit(program(), folders, supervisor.changed)
    folders.state.with_suffix(".new").mkdir()  # nothing can be written there
    supervisor.start([unit])
    supervisor.wait_ready([unit], 10)
    first = unit.pid
    unit.kill()
    deadline = time.monotonic() + 10
    while unit.pid in (None, first):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    second = unit.pid
    supervisor.stop([unit], 5)
    assert unit.state is State.STOPPED
    assert second is not None
    assert birth(second) is None


def test_a_process_that_cannot_be_recorded_does_not_run(folders: Folders) -> None:
    record = folders.run / "it.pid"
    record.mkdir()
    with pytest.raises(OSError, match=r"it\.pid"):
        Child(program(), folders.log("it"), record, signal.SIGKILL)
    ours = [child.cmdline() for child in psutil.Process().children()]
    assert not [words for words in ours if WAITS in words]


def test_a_process_that_cannot_be_watched_is_stopped(folders: Folders) -> None:
    def ready() -> bool:
        seen.append(unit.pid)
        raise ZeroDivisionError

    seen: list[int | None] = []
    said: list[str] = []
    supervisor = Supervisor(folders, said.append)
    unit = Unit(program(ready=ready), folders, supervisor.changed)
    supervisor.start([unit])
    unit.join()
    assert unit.state is State.FAILED
    assert "ZeroDivisionError" in said[-1]
    assert seen[0] is not None
    assert birth(seen[0]) is None


def test_trouble_may_last_for_days(folders: Folders) -> None:
    said: list[str] = []
    unit = Unit(
        program(),
        folders,
        lambda unit, why: said.append(f"{unit.state}: {why}"),
        patience=Patience(longest_backoff=0.01),
    )
    unit._back_off("killed", deaths=5000)
    assert said == ["restarting: killed; starting again in 0.01 s"]


def test_a_log_for_whose_copy_there_is_no_room_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes()[:3])
        full()

    log = tmp_path / "grants.log"
    for text in ("older", "newer"):
        log.write_text(text)
        rotate(log, largest=1)
    log.write_text("newest")
    monkeypatch.setattr(shutil, "copyfile", copy)
    rotate(log, largest=1)
    found = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert found == {"grants.log": "newest", "grants.log.1": "newer", "grants.log.2": "older"}


class Ending:
    """A unit whose process ends between two looks at it."""

    def __init__(self) -> None:
        self._pids = iter([4711])

    def stop(self, deadline: float) -> None:
        assert deadline == 0.0

    @property
    def pid(self) -> int | None:
        return next(self._pids, None)


def test_what_ends_by_itself_meanwhile_keeps_nothing_from_being_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed: list[int] = []

    def kill(pid: int, number: int) -> None:
        assert number == signal.SIGKILL
        killed.append(pid)

    monkeypatch.setattr("os.kill", kill)
    supervisor = Supervisor(Folders(tmp_path), lambda _: None)
    supervisor.units += [cast(Unit, Ending()), cast(Unit, Ending())]
    supervisor.kill()
    assert killed == [4711, 4711]
