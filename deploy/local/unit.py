"""One supervised process: started, watched, started again with back-off, given up, stopped."""

import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from deploy.local.folders import Folders
from deploy.local.processes import Child, Program, tail
from deploy.local.rotation import rotate


class State(StrEnum):
    """What a unit is doing, as a person reads it."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    UNREADY = "not ready"
    RESTARTING = "restarting"
    FAILED = "failed"
    HELD = "held"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Patience:
    """How long a unit is borne with, in seconds."""

    backoff: float = 0.5
    longest_backoff: float = 30.0
    deaths: int = 5
    settled: float = 60.0
    glance: float = 0.1
    check: float = 2.0


PATIENCE = Patience()

_MOST_DOUBLINGS = 20
"""Trouble may last for days: past some thousand deaths no number would hold what doubles."""


class Unit:
    """Keeps one program running. One thread does all that touches the process."""

    def __init__(
        self,
        program: Program,
        folders: Folders,
        changed: Callable[["Unit", str], None],
        on_orphaned: int = signal.SIGTERM,
        patience: Patience = PATIENCE,
    ) -> None:
        self.program = program
        self.log = folders.log(program.name)
        self.state = State.WAITING
        self.restarts = 0
        self._record = folders.run / f"{program.name}.pid"
        self._changed = changed
        self._on_orphaned = on_orphaned
        self._patience = patience
        self._child: Child | None = None
        self._thread = threading.Thread(target=self._run, name=program.name, daemon=True)
        self._wanted = True
        self._was_ready = False
        self._ending = False
        self._deadline = 0.0
        self._wake = threading.Event()

    @property
    def name(self) -> str:
        """Its name, as in `telar logs NAME`."""
        return self.program.name

    @property
    def pid(self) -> int | None:
        """The running process."""
        child = self._child
        return child.pid if child and child.alive else None

    @property
    def since(self) -> float | None:
        """When the running process was started."""
        child = self._child
        return child.since if child and child.alive else None

    def start(self) -> None:
        """Begin to keep it running."""
        self._thread.start()

    def stop(self, deadline: float) -> None:
        """Ask it to end for good, by force at `deadline` (monotonic); `join` waits for it."""
        self._deadline, self._ending = deadline, True
        self._wake.set()

    def join(self) -> None:
        """Return when it has ended for good."""
        if self._thread.is_alive():
            self._thread.join()

    def hold(self) -> None:
        """Stop the process and keep it down until `release`."""
        self._deadline, self._wanted = time.monotonic() + self.program.grace, False
        self._wake.set()

    def release(self) -> None:
        """Start it again after `hold`."""
        self._wanted = True
        self._wake.set()

    def kill(self) -> None:
        """End the process at once, as a crash would; it will be started again."""
        if child := self._child:
            child.send(signal.SIGKILL)

    def _run(self) -> None:
        try:
            self._keep_running()
        except Exception as error:  # a thread that dies in silence would be waited for
            with suppress(OSError):
                if self._child:  # nobody would look after it
                    self._child.stop(self.program.grace)
            self._set(State.FAILED, f"cannot be kept running: {error!r}")

    def _keep_running(self) -> None:
        deaths = 0
        while not self._ending:
            if not self._wanted:
                self._set(State.HELD)
                self._sleep(self._patience.glance)
                continue
            try:
                self._child = child = self._spawn()
            except OSError as error:  # a full disk, perhaps: it may have room again
                if not self._was_ready:
                    raise
                deaths += 1
                self._back_off(f"cannot be started: {error}", deaths)
                continue
            self._watch(child)
            if self._ending or not self._wanted:
                child.stop(max(0.0, self._deadline - time.monotonic()))
                continue
            settled = time.time() - child.since > self._patience.settled
            deaths = 1 if settled else deaths + 1
            # What was ready once is away for reasons outside of it, and these end.
            if deaths >= self._patience.deaths and not self._was_ready:
                return self._give_up(child)
            self._back_off(_how(child), deaths)
        self._set(State.STOPPED)
        return None

    def _spawn(self) -> Child:
        self._set(State.STARTING)
        return Child(self.program, self.log, self._record, self._on_orphaned)

    def _watch(self, child: Child) -> None:
        """Return when the process has ended, or is to be ended."""
        next_check = 0.0
        while child.alive and self._wanted and not self._ending:
            if time.monotonic() >= next_check:
                self._check()
                rest = self._patience.check if self.state is State.READY else self._patience.glance
                next_check = time.monotonic() + rest
                rotate(self.log)
            self._sleep(self._patience.glance)

    def _check(self) -> None:
        if self.program.ready():
            again = self.restarts or self.state is State.UNREADY
            self._was_ready = True
            self._set(State.READY, "ready again" if again else "")
        elif self.state is State.READY:
            self._set(State.UNREADY, "not ready")

    def _back_off(self, how: str, deaths: int) -> None:
        doubled = 2 ** min(deaths - 1, _MOST_DOUBLINGS)
        pause = min(self._patience.backoff * doubled, self._patience.longest_backoff)
        self._set(State.RESTARTING, f"{how}; starting again in {pause:g} s")
        until = time.monotonic() + pause
        while time.monotonic() < until and self._wanted and not self._ending:
            self._sleep(until - time.monotonic())
        self.restarts += 1

    def _give_up(self, child: Child) -> None:
        child.stop(0.0)
        words = f"{_how(child)} {self._patience.deaths} times in a row; given up. Its last lines:"
        self._set(State.FAILED, f"{words}\n{tail(self.log)}")

    def _sleep(self, seconds: float) -> None:
        self._wake.wait(max(0.0, seconds))
        self._wake.clear()

    def _set(self, state: State, why: str = "") -> None:
        if state is not self.state:
            self.state = state
            self._changed(self, why)


def _how(child: Child) -> str:
    code = child.exit_code or 0
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
