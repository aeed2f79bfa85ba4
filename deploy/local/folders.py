"""The data folder: what lies where, and the one stack that may use it."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from platformdirs import user_data_path

_MOMENT = 0.5
"""Seconds: whoever only looks whether the folder is held lets go of it long before."""


class InUse(Exception):
    """Another stack is up on this folder."""


def default() -> Path:
    """Where data lies unless one says otherwise."""
    return user_data_path("telar")


@dataclass(frozen=True)
class Folders:
    """The parts of one data folder."""

    root: Path

    @property
    def mongo(self) -> Path:
        """The database."""
        return self.root / "mongo"

    @property
    def kafka(self) -> Path:
        """The broker."""
        return self.root / "kafka"

    @property
    def keys(self) -> Path:
        """The token issuer's key and the published key set."""
        return self.root / "keys"

    @property
    def logs(self) -> Path:
        """A log per process."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """What is true only while a stack is up: pid files, its state, the services' variables."""
        return self.root / "run"

    @property
    def state(self) -> Path:
        """The stack as it is now."""
        return self.run / "state.json"

    @property
    def services_env(self) -> Path:
        """The variables with which a service finds the running stack."""
        return self.run / "services.env"

    @property
    def owner(self) -> Path:
        """The pid file of the `telar up` that runs this stack."""
        return self.run / "up.pid"

    @property
    def restoring(self) -> Path:
        """A database that is being made from a backup."""
        return self.root / "restoring"

    @property
    def unfinished(self) -> Path:
        """There while old data and restored data change places."""
        return self.root / "restore-unfinished"

    def aside(self, when: str) -> Path:
        """Where a restore moves what was there."""
        return self.root / f"before-restore-{when}"

    def asides(self) -> list[Path]:
        """What earlier restores moved."""
        return sorted(self.root.glob("before-restore-*"))

    def log(self, name: str) -> Path:
        """The log of one process."""
        return self.logs / f"{name}.log"

    def make(self) -> None:
        """Make the folders; nobody else may look into them."""
        for folder in (self.root, self.keys, self.logs, self.run):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def pid_files(self) -> list[Path]:
        """The records of all processes but the one that runs the stack."""
        return sorted(set(self.run.glob("*.pid")) - {self.owner})

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder for one stack; the kernel lets go of it when the process ends."""
        self.make()
        with (self.run / "up.lock").open("w") as lock:
            if not _locked(lock):
                raise InUse(f"a stack is already up on {self.root}")
            yield

    def is_held(self) -> bool:
        """Whether a stack is up on this folder."""
        try:
            with (self.run / "up.lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False


def _locked(lock: TextIO) -> bool:
    """Whether the lock became ours, within a moment."""
    deadline = time.monotonic() + _MOMENT
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        else:
            return True
