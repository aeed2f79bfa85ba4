"""`telar backup`: every database at one instant, and the keys, while the stack goes on.

The outbox is the log, so MongoDB holds everything: Kafka's topics are made from it again. MongoDB
keeps the last five minutes of every document; all collections are read as of one instant of them,
which holds up no write and leaves nothing locked, however this process ends.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bson import json_util

from deploy.local import mongo, ports
from deploy.local.archive import Archive, BackupError, Collection, Manifest
from deploy.local.folders import Folders, InUse
from deploy.local.leftovers import end_processes
from deploy.local.processes import Child, DiedEarly
from deploy.local.report import Report
from deploy.local.stack import Stack
from deploy.local.wire import Refused, Wire

_NOT_OURS = ("admin", "config", "local")
_TRIES = 3
_MOVED_ON = ("SnapshotUnavailable", "SnapshotTooOld", "NamespaceNotFound", "CursorNotFound")


class _Changed(Exception):
    """Collections came or went meanwhile: the instant has to be another one."""


@dataclass(frozen=True)
class _Source:
    database: str
    name: str
    uuid: bytes

    def find(self, at: Any) -> dict[str, Any]:
        """All of it, as it was at that instant."""
        return {"find": self.name, "readConcern": {"level": "snapshot", "atClusterTime": at}}


def backup(folders: Folders, file: Path, report: Report) -> Manifest:
    """Write the file; raises `BackupError`, and then there is no file."""
    if file.exists():
        raise BackupError("backup-exists", f"{file} is there already: name another")
    if folders.unfinished.exists():
        raise BackupError("restore-unfinished", "a restore was cut off: run it again first")
    with ExitStack() as stack:
        port = _port_of_running(folders) or stack.enter_context(_started(folders, report))
        for left in reversed(range(_TRIES)):
            try:
                return _attempt(folders, file, port, report)
            except _Changed:
                if not left:
                    text = "collections kept coming and going: try when nothing is being rebuilt"
                    raise BackupError("backup-unsettled", text) from None
                time.sleep(1.0)
            except OSError as error:
                raise BackupError("backup-failed", f"{file}: {error.strerror or error}") from None
    raise AssertionError


def _port_of_running(folders: Folders) -> int | None:
    stack = Stack.find(folders.root)
    if stack is not None and stack.phase == "ready":
        return urlsplit(stack.mongo).port
    if folders.is_held():
        text = "the stack is starting or stopping, or another backup is made: wait a moment"
        raise BackupError("stack-unsettled", text)
    return None


@contextmanager
def _started(folders: Folders, report: Report) -> Iterator[int]:
    """mongod alone, as the stack would start it, so that what a crash left is recovered."""
    if not (folders.mongo / "WiredTiger").exists():
        raise BackupError("backup-nothing", f"there is no data in {folders.root}")
    try:
        with folders.held():
            end_processes(folders)
            known = mongo.last_port(folders.mongo)
            port = known if known and ports.is_free(known) else ports.some(1)[0]
            with report.step("MongoDB, for the time of the backup"):
                mongo.prepare(folders.mongo, port)
                program = mongo.program(folders.mongo, port)
                record = folders.run / "mongo.pid"
                child = Child(program, folders.log("mongo"), record, signal.SIGTERM)
                _wait(child)
            try:
                yield port
            finally:
                child.stop(program.grace)
    except InUse as problem:
        raise BackupError("stack-unsettled", str(problem)) from None
    except (OSError, DiedEarly, ports.NoPorts) as problem:
        raise BackupError("store-unavailable", str(problem)) from None


def _wait(child: Child) -> None:
    try:
        child.wait_ready(60)
    except DiedEarly as problem:
        child.stop(0.0)
        raise BackupError("store-unavailable", str(problem)) from None


def _attempt(folders: Folders, file: Path, port: int, report: Report) -> Manifest:
    try:
        with Wire(port, patience=60.0) as wire, Archive(file) as archive:
            manifest = _write(wire, archive, folders, report)
            archive.finish(manifest)
            return manifest
    except Refused as refusal:
        if refusal.name in _MOVED_ON:
            raise _Changed from None
        raise BackupError("store-refuses", str(refusal)) from None


def _write(wire: Wire, archive: Archive, folders: Folders, report: Report) -> Manifest:
    hello = wire.command({"hello": 1})
    instant = hello["lastWrite"]["opTime"]["ts"]
    sources = list(_sources(wire))
    size = sum(_size(wire, name) for name in sorted({one.database for one in sources}))
    collections = []
    with report.download("Documents", size) as came:
        for number, source in enumerate(sources):
            count = bytes_ = 0
            for part, batch in enumerate(wire.batches(source.find(instant), source.database)):
                data = b"".join(batch)
                archive.add(f"mongo/{number:04}/{part:06}.bson", data)
                count, bytes_ = count + len(batch), bytes_ + len(data)
                came(len(data))
            collections.append(_collection(wire, source, count, bytes_))
    if list(_sources(wire)) != sources:
        raise _Changed
    for key in sorted(folders.keys.iterdir()):
        archive.add(f"keys/{key.name}", key.read_bytes())
    at = instant.as_datetime().astimezone(UTC).isoformat()
    return Manifest(at=at, collections=collections, parts=archive.parts)


def _sources(wire: Wire) -> Iterator[_Source]:
    listed = wire.command({"listDatabases": 1, "nameOnly": True})["databases"]
    for database in sorted(one["name"] for one in listed):
        if database not in _NOT_OURS:
            found = wire.listed({"listCollections": 1, "cursor": {}}, database)
            plain = [one for one in found if one["type"] == "collection"]
            for one in sorted(plain, key=lambda one: str(one["name"])):
                yield _Source(database, one["name"], bytes(one["info"]["uuid"]))


def _collection(wire: Wire, source: _Source, count: int, size: int) -> Collection:
    found = wire.listed({"listIndexes": source.name}, source.database)
    indexes = [json_util.dumps(one) for one in found if one["name"] != "_id_"]
    return Collection(
        database=source.database, name=source.name, indexes=indexes, documents=count, bytes=size
    )


def _size(wire: Wire, database: str) -> int:
    return int(wire.command({"dbStats": 1}, database)["dataSize"])
