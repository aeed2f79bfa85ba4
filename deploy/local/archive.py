"""A backup as a file: a compressed tar of named parts, and last a manifest with their sums.

mongo/0007/000001.bson   a batch of documents of the manifest's collection 7, as they are
keys/NAME                a file of the token issuer
manifest.json            what the file holds; without it the file is not whole
"""

import gzip
import io
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

MANIFEST = "manifest.json"
FORMAT = 1
_PART_BYTES = 64 * 1024 * 1024


class BackupError(Exception):
    """Why there is no backup, or why one is not used: a stable code and what to do."""

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        super().__init__(f"{text} ({code})")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Collection(_Frozen):
    """One collection: its indexes but that of `_id`, as extended JSON, and how much is in it."""

    database: str
    name: str
    indexes: list[Any]
    documents: int
    bytes: int


class Part(_Frozen):
    """One part of the file."""

    name: str
    bytes: int
    sha256: str


class Manifest(_Frozen):
    """What a backup holds, and of which instant (MongoDB's clock, ISO 8601)."""

    format: Literal[1] = FORMAT
    at: str
    collections: list[Collection]
    parts: list[Part]

    @property
    def documents(self) -> int:
        """How many documents it holds."""
        return sum(one.documents for one in self.collections)

    @property
    def size(self) -> int:
        """How many bytes its parts are, unpacked."""
        return sum(part.bytes for part in self.parts)


class Archive:
    """A backup being written beside its name; it gets the name when it is whole."""

    def __init__(self, file: Path) -> None:
        handle, scratch = tempfile.mkstemp(".part", f".{file.name}.", file.parent)
        self._file, self._scratch = file, Path(scratch)
        self._raw = os.fdopen(handle, "wb")
        self._gzip = gzip.GzipFile("", "wb", compresslevel=1, fileobj=self._raw, mtime=0)
        self._tar = tarfile.TarFile(fileobj=self._gzip, mode="w")
        self.parts: list[Part] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):  # what has to be on the disk `finish` has brought there
            self._raw.close()
        self._scratch.unlink(missing_ok=True)

    def add(self, name: str, data: bytes) -> None:
        """One more part."""
        self.parts.append(Part(name=name, bytes=len(data), sha256=sha256(data).hexdigest()))
        self._add(name, data)

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest, make sure all is on the disk, and give the file its name."""
        self._add(MANIFEST, manifest.model_dump_json(indent=1).encode())
        self._tar.close()
        self._gzip.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        try:
            self._give_name()
        except FileExistsError:
            raise BackupError("backup-exists", f"{self._file} is there already") from None

    def _give_name(self) -> None:
        """Unlike a rename alone, never over another file."""
        try:
            os.link(self._scratch, self._file)
        except FileExistsError:
            raise
        except OSError:  # FAT knows no second name of a file: an empty one holds the place
            self._file.touch(0o600, exist_ok=False)
            try:
                self._scratch.replace(self._file)
            except OSError:
                self._file.unlink()
                raise

    def _add(self, name: str, data: bytes) -> None:
        about = tarfile.TarInfo(name)
        about.size, about.mode = len(data), 0o600
        self._tar.addfile(about, io.BytesIO(data))


def parts(file: Path) -> Iterator[tuple[str, bytes]]:
    """Every part in turn, the manifest last. Raises `BackupError` where the file is not whole."""
    try:
        with gzip.open(file, "rb") as unpacked:
            with tarfile.open(fileobj=unpacked, mode="r|") as tar:
                for about in tar:
                    yield about.name, _content(tar, about)
            while unpacked.read(1024 * 1024):
                pass  # to its end: the last thing in it is a sum of all
    except EOFError:
        raise BackupError("backup-truncated", f"{file} is cut off") from None
    except (zlib.error, tarfile.TarError, gzip.BadGzipFile) as error:
        raise BackupError("backup-unreadable", f"{file} is not a whole backup: {error}") from None
    except OSError as error:
        raise BackupError("backup-unreadable", f"{file}: {error.strerror}") from None


def _content(tar: tarfile.TarFile, about: tarfile.TarInfo) -> bytes:
    data = tar.extractfile(about) if about.isreg() and about.size <= _PART_BYTES else None
    if data is None:
        raise BackupError("backup-altered", f"{about.name[:80]!r} is no part of a backup")
    return data.read()


def verify(file: Path) -> Manifest:
    """Read the whole file and compare every sum; what it says it holds."""
    found: dict[str, Part] = {}
    manifest: bytes | None = None
    for name, data in parts(file):
        if manifest is not None or name in found:
            raise BackupError("backup-altered", f"{name} does not belong into {file}")
        if name == MANIFEST:
            manifest = data
        found[name] = Part(name=name, bytes=len(data), sha256=sha256(data).hexdigest())
    if manifest is None:
        raise BackupError("backup-truncated", f"{file} ends without its manifest")
    said = _read(manifest, file)
    del found[MANIFEST]
    if {part.name: part for part in said.parts} != found or len(said.parts) != len(found):
        raise BackupError(
            "backup-altered", f"{file} is not what its manifest says: {_odd(said, found)}"
        )
    return said


def _read(text: bytes, file: Path) -> Manifest:
    try:
        return Manifest.model_validate_json(text)
    except ValidationError:
        raise BackupError("backup-unknown-format", f"{file} is of another version") from None


def _odd(said: Manifest, found: dict[str, Part]) -> str:
    for part in said.parts:
        if found.get(part.name) != part:
            return part.name
    return next(iter(found.keys() - {part.name for part in said.parts}), "a part is named twice")
