"""`telar logs`: the end of a log, and what is added to it."""

import sys
import time
from collections import deque
from pathlib import Path

from cli import usage
from deploy.local.folders import Folders

_GLANCE = 0.2


def logs(folder: Path, service: str, lines: int, *, follow: bool) -> int:
    """Print the last lines; with `follow` go on until Ctrl-C."""
    folders = Folders(folder)
    log = folders.log(service)
    if not log.is_file() or log.parent != folders.logs:
        there = ", ".join(sorted(file.stem for file in folders.logs.glob("*.log"))) or "none"
        print(f"No log of {service!r} in {folders.logs}; there are: {there}", file=sys.stderr)
        return usage.FAILED
    try:
        position = _print_end(log, lines)
        while follow:
            position = _print_from(log, position)
            time.sleep(_GLANCE)
    except KeyboardInterrupt:
        return usage.OK
    except BrokenPipeError:
        sys.stderr.close()
        return usage.OK
    return usage.OK


def _print_end(log: Path, lines: int) -> int:
    with log.open("rb") as file:
        _write(b"".join(deque(file, maxlen=lines)))
        return file.tell()


def _print_from(log: Path, position: int) -> int:
    """Print what is new; a log that became shorter was rotated and begins anew."""
    with log.open("rb") as file:
        start = position if log.stat().st_size >= position else 0
        file.seek(start)
        _write(file.read())
        return file.tell()


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
