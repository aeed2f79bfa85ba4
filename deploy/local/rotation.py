"""Keeps logs small: a log that grew too large becomes .1, and starts again."""

import shutil
from contextlib import suppress
from pathlib import Path

LARGEST = 10 * 1024 * 1024
KEPT = 3


def rotate(log: Path, largest: int = LARGEST) -> None:
    """Copy and empty a log over `largest`; its writer appends, so it needs no telling.

    Where there is no room for the copy the log stays whole, and the next look tries again.
    """
    copy = log.with_name(f"{log.name}.new")
    try:
        if log.stat().st_size >= largest:
            shutil.copyfile(log, copy)
            _make_way(log, copy)
    except OSError:
        with suppress(OSError):
            copy.unlink(missing_ok=True)


def _make_way(log: Path, copy: Path) -> None:
    for number in range(KEPT, 1, -1):
        older = _numbered(log, number - 1)
        if older.exists():
            older.replace(_numbered(log, number))
    copy.replace(_numbered(log, 1))
    with log.open("r+b") as file:
        file.truncate(0)


def _numbered(log: Path, number: int) -> Path:
    return log.with_name(f"{log.name}.{number}")
