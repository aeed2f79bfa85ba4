"""Child processes: own session, own log, recorded by pid and start time, ended for certain."""

import ctypes
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

# The kernel sends the parent-death signal when the *thread* that forked ends, so all children
# are forked by one thread that lives as long as the process.
_SPAWNER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")
_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Program:
    """A process to run: how it starts, how one sees that it is ready, how long it may stop."""

    name: str
    argv: tuple[str, ...]
    ready: Callable[[], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    grace: float = 9.0


class DiedEarly(Exception):
    """A process ended before it was ready or before it had done its work, or took too long."""


@cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def birth(pid: int) -> str | None:
    """When a live process started, as no other process with its number ever will have."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else f"{_boot()}:{fields[19]}"


@dataclass(frozen=True)
class PidFile:
    """Remembers a process beyond the life of its parent."""

    path: Path

    def write(self, pid: int) -> None:
        """Record a live process."""
        self.path.write_text(f"{pid} {birth(pid)}\n")

    def pid(self) -> int | None:
        """The process recorded here, if it is still that one and alive."""
        try:
            text, born = self.path.read_text().split()
            number = int(text)
        except (OSError, ValueError):
            return None
        return number if birth(number) == born else None

    def end(self, grace: float) -> int | None:
        """End the process recorded here; a foreign one with its number is left alone."""
        pid = self.pid()
        if pid is not None:
            _end(pid, self.path, grace)
        self.path.unlink(missing_ok=True)
        return pid

    def signal(self, number: int) -> bool:
        """Send a signal to the process recorded here; False when it is gone."""
        pid = self.pid()
        if pid is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        return True


def _end(pid: int, record: Path, grace: float) -> None:
    """A handle first, then the identity once more: the number cannot change hands in between."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if PidFile(record).pid() != pid:
            return
        for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
            signal.pidfd_send_signal(handle, number)
            if select.select([handle], [], [], patience)[0]:
                return
    except ProcessLookupError:
        return
    finally:
        os.close(handle)


class Child:
    """One running program."""

    def __init__(self, program: Program, log: Path, record: Path, on_orphaned: int) -> None:
        self.program = program
        self.log = log
        self._record = PidFile(record)
        started = _SPAWNER.submit(_spawn, program, log, on_orphaned)
        self._process = started.result()
        self.pid = self._process.pid
        self.since = time.time()
        try:
            self._record.write(self.pid)
        except OSError:  # what is not on record, nobody would ever end
            self.kill()
            raise

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended, negative for a signal."""
        return self._process.poll()

    def wait_ready(self, patience: float) -> None:
        """Return once it is ready; DiedEarly with its last words if it ends or takes too long."""
        deadline = time.monotonic() + patience
        while not self.program.ready():
            if not self.alive:
                raise DiedEarly(f"{self.program.name} ended ({self.exit_code}):\n{tail(self.log)}")
            if time.monotonic() > deadline:
                raise DiedEarly(f"{self.program.name} was not ready in {patience:.0f} s")
            time.sleep(0.05)

    def send(self, number: int) -> None:
        """Send a signal, if it still runs."""
        self._process.send_signal(number)

    def stop(self, grace: float) -> None:
        """End it: politely, and after `grace` seconds by force."""
        if self.alive:
            self.send(signal.SIGTERM)
            try:
                self._process.wait(grace)
            except subprocess.TimeoutExpired:
                self.kill()
        self._record.path.unlink(missing_ok=True)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.send(signal.SIGKILL)
        self._process.wait()


def die_orphaned(number: int) -> None:
    """Let this process get a signal when its parent ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, number)


def _spawn(program: Program, log: Path, on_orphaned: int) -> subprocess.Popen[bytes]:
    parent = os.getpid()

    def die_with_parent() -> None:
        die_orphaned(on_orphaned)
        if os.getppid() != parent:
            os._exit(1)

    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 - our own command lines
            program.argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **program.environment},
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one thread forks, nothing is imported
        )


def tail(log: Path, lines: int = 20) -> str:
    """The last lines of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 65536))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
