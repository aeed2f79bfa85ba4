"""Keeps a set of units running, waits for them, stops them, and writes down how they are."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from deploy.local.folders import Folders
from deploy.local.unit import State, Unit


class NotStarted(Exception):
    """A unit was given up or took too long; the message holds its last words."""


class Supervisor:
    """The units of one stack, in the order of their start."""

    def __init__(self, folders: Folders, tell: Callable[[str], None]) -> None:
        self.units: list[Unit] = []
        self.facts: dict[str, Any] = {}
        self._folders = folders
        self._tell = tell
        self._changes = threading.Condition()

    def start(self, units: Iterable[Unit]) -> None:
        """Keep these running from now on."""
        for unit in units:
            self.units.append(unit)
            unit.start()

    def wait_ready(self, units: Iterable[Unit], patience: float) -> None:
        """Return when all are ready; NotStarted when one is given up or time is over."""
        waited = list(units)
        deadline = time.monotonic() + patience
        with self._changes:
            while open_ := [unit for unit in waited if unit.state is not State.READY]:
                for unit in open_:
                    if unit.state is State.FAILED:
                        raise NotStarted(f"{unit.name} does not start: see the lines above")
                if not self._changes.wait(deadline - time.monotonic()):
                    names = ", ".join(unit.name for unit in open_)
                    raise NotStarted(f"not ready after {patience:.0f} s: {names}")

    def stop(self, units: Iterable[Unit], patience: float) -> None:
        """Stop these together; returns when they have ended, by force if need be."""
        stopped = list(units)
        for unit in stopped:
            unit.stop(time.monotonic() + patience)
        for unit in stopped:
            unit.join()

    def kill(self) -> None:
        """End everything at once."""
        for unit in self.units:
            unit.stop(0.0)
        for unit in self.units:
            if pid := unit.pid:  # another thread forgets it when it has ended
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def changed(self, unit: Unit, why: str) -> None:
        """What a unit calls when its state changes."""
        with self._changes:
            # On a full disk too the unit goes on, and whoever waits for it hears of it.
            with suppress(OSError):
                if why:
                    self._tell(f"{unit.name}: {why}")
            with suppress(OSError):
                self.write()
            self._changes.notify_all()

    def write(self) -> None:
        """Write the state for `telar status`, whole or not at all."""
        rows = [_row(unit) for unit in self.units]
        text = json.dumps({**self.facts, "units": rows}, indent=1)
        scratch = self._folders.state.with_suffix(".new")
        scratch.write_text(text)
        scratch.replace(self._folders.state)


def _row(unit: Unit) -> dict[str, Any]:
    return {
        "name": unit.name,
        "state": unit.state,
        "address": unit.program.address,
        "pid": unit.pid,
        "since": unit.since,
        "restarts": unit.restarts,
    }
