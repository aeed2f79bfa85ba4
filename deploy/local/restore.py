"""`telar restore`: the databases and keys of a backup in the place of those that are there.

Nothing is touched before every sum was compared, and nothing is deleted: what was there is moved
aside. The new database is made beside the old one; only when it is whole do they change places.
Kafka is moved aside too: the publishers send everything again from their outboxes.
"""

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import bson
from bson import json_util

from deploy.local import mongo, ports
from deploy.local.archive import MANIFEST, BackupError, Manifest, parts, verify
from deploy.local.command import line
from deploy.local.folders import Folders, InUse
from deploy.local.leftovers import end_processes
from deploy.local.processes import Child, DiedEarly
from deploy.local.report import Report
from deploy.local.wire import Refused, Wire

_ROOM = 2
"""Times the size of the documents: indexes, the journal, and what a file system wants."""

_LEAST_ROOM = 300 * 1000 * 1000


def restore(folders: Folders, file: Path, report: Report) -> tuple[Manifest, Path | None]:
    """Put a backup in the place of what is there; what it holds, and where the old data went."""
    if folders.is_held():
        down = line("telar down", folders.root)
        raise BackupError("stack-up", f"a stack is up on {folders.root}: `{down}` first")
    with report.step(f"Comparing the sums of {file.name}", "Every sum is right"):
        manifest = verify(file)
    try:
        with folders.held():
            end_processes(folders)
            return manifest, _replace(folders, file, manifest, report)
    except InUse:
        raise BackupError("stack-up", f"a stack is up on {folders.root}") from None
    except (OSError, DiedEarly, Refused) as error:
        raise BackupError(
            "restore-failed", f"{error}; what was there is untouched or named above"
        ) from error


def _replace(folders: Folders, file: Path, manifest: Manifest, report: Report) -> Path | None:
    free = shutil.disk_usage(folders.root).free
    if free < manifest.size * _ROOM + _LEAST_ROOM:
        raise BackupError("disk-full", f"{free / 1e6:.0f} MB are too little beside the old data")
    fresh = Folders(folders.restoring)
    shutil.rmtree(fresh.root, ignore_errors=True)
    fresh.make()
    with _loading(fresh) as wire, report.download("Documents", manifest.size) as came:
        _load(wire, file, manifest, fresh, came)
    return _swap(folders, fresh, report)


@contextmanager
def _loading(fresh: Folders) -> Iterator[Wire]:
    """A new mongod that nobody else knows; stopped in good order, so that all is on the disk."""
    fresh.mongo.mkdir()
    port = ports.some(1)[0]
    program = mongo.alone(fresh.mongo, port)
    child = Child(program, fresh.log("mongo"), fresh.run / "mongo.pid", signal.SIGKILL)
    try:
        child.wait_ready(60)
        with Wire(port, patience=120.0) as wire:
            yield wire
    finally:
        child.stop(60.0)


def _load(
    wire: Wire, file: Path, manifest: Manifest, fresh: Folders, came: Callable[[int], None]
) -> None:
    for one in manifest.collections:
        wire.command({"create": one.name}, one.database)
    for name, data in parts(file):
        if name.startswith("mongo/"):
            target = manifest.collections[int(name.split("/")[1])]
            wire.insert(target.database, target.name, list(_documents(data)))
            came(len(data))
        elif name != MANIFEST:
            _write(fresh.keys / Path(name).name, data)
    for one in manifest.collections:
        if indexes := [json_util.loads(index) for index in one.indexes]:
            wire.command({"createIndexes": one.name, "indexes": indexes}, one.database)
        found = wire.command({"count": one.name}, one.database)["n"]
        if found != one.documents:
            text = f"{one.database}.{one.name} has {found} documents instead of {one.documents}"
            raise BackupError("restore-failed", text)


def _documents(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "little")
        if length < 5 or at + length > len(data):
            raise bson.InvalidBSON("a document is longer than its part")
        yield data[at : at + length]
        at += length


def _write(file: Path, data: bytes) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as written:
        written.write(data)
        written.flush()
        os.fsync(written.fileno())


def _swap(folders: Folders, fresh: Folders, report: Report) -> Path | None:
    """Renames alone; were they cut off, `telar up` would refuse and say so."""
    old = [one for one in (folders.mongo, folders.kafka, folders.keys) if one.exists()]
    aside = folders.aside(time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
    folders.unfinished.write_text(f"{aside}\n")
    if old:
        aside.mkdir(mode=0o700)
        report.say(f"Moving what was here to {aside}")
        for one in old:
            one.rename(aside / one.name)
    fresh.mongo.rename(folders.mongo)
    fresh.keys.rename(folders.keys)
    _sync(folders.root)
    folders.unfinished.unlink()
    shutil.rmtree(fresh.root)
    return aside if old else None


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
