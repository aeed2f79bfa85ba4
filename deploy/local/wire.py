"""MongoDB on one socket: a driver's topology discovery would take longer than mongod does."""

import socket
import struct
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

_OP_MSG = 2013
_RAW = CodecOptions(document_class=RawBSONDocument)
_BATCH_BYTES, _BATCH_COUNT = 8 * 1024 * 1024, 10_000


class Refused(Exception):
    """mongod said no; `name` is its own word for why."""

    def __init__(self, reply: dict[str, Any]) -> None:
        self.name = str(reply.get("codeName", "Unknown"))
        super().__init__(f"{self.name}: {reply.get('errmsg', reply)}")


class Wire:
    """One connection to the mongod on a port of this machine. Raises OSError when it is gone."""

    def __init__(self, port: int, patience: float = 2.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=patience)
        self._reply = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reply.close()
        self._socket.close()

    def ask(self, command: dict[str, Any], database: str = "admin") -> dict[str, Any]:
        """What it answers, a refusal too."""
        return bson.decode(self._ask(command, database))

    def command(self, command: dict[str, Any], database: str = "admin") -> dict[str, Any]:
        """What it answers; raises `Refused`."""
        return _granted(self.ask(command, database))

    def listed(self, command: dict[str, Any], database: str) -> list[dict[str, Any]]:
        """All that a cursor of small documents yields."""
        return [bson.decode(raw) for batch in self.batches(command, database) for raw in batch]

    def batches(self, command: dict[str, Any], database: str) -> Iterator[list[bytes]]:
        """The documents of a cursor as bytes, in batches of 16 MiB at the most."""
        found = self._cursor(command, database, "firstBatch")
        while True:
            cursor_id, collection, batch = found
            if batch:
                yield batch
            if not cursor_id:
                return
            more = {"getMore": cursor_id, "collection": collection}
            found = self._cursor(more, database, "nextBatch")

    def insert(self, database: str, collection: str, documents: Sequence[bytes]) -> None:
        """Write documents as they are, several a message."""
        for batch in _portions(documents):
            ready = [RawBSONDocument(one) for one in batch]
            reply = self.command({"insert": collection, "documents": ready}, database)
            if failures := reply.get("writeErrors"):
                raise Refused(failures[0])

    def _cursor(
        self, command: dict[str, Any], database: str, name: str
    ) -> tuple[int, str, list[bytes]]:
        raw = self._ask(command, database)
        reply: Any = bson.decode(raw, _RAW)
        if not reply["ok"]:
            raise Refused(bson.decode(raw))
        cursor = reply["cursor"]
        namespace: str = cursor["ns"]
        batch = [document.raw for document in cursor[name]]
        return bson.Int64(cursor["id"]), namespace.partition(".")[2], batch

    def _ask(self, command: dict[str, Any], database: str) -> bytes:
        body = b"\0\0\0\0\0" + bson.encode({**command, "$db": database})
        self._socket.sendall(struct.pack("<iiii", 16 + len(body), 1, 0, _OP_MSG) + body)
        (length,) = struct.unpack("<i", self._exactly(4))
        return self._exactly(length - 4)[17:]

    def _exactly(self, length: int) -> bytes:
        data = self._reply.read(length)
        if len(data) < length:
            raise ConnectionError("mongod closed the connection")
        return data


def _granted(reply: dict[str, Any]) -> dict[str, Any]:
    if not reply.get("ok"):
        raise Refused(reply)
    return reply


def _portions(documents: Sequence[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for document in documents:
        if batch and (size + len(document) > _BATCH_BYTES or len(batch) == _BATCH_COUNT):
            yield batch
            batch, size = list[bytes](), 0
        batch.append(document)
        size += len(document)
    if batch:
        yield batch
