"""What a stack that was killed has left: processes, and throw-away folders."""

import os
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.local.folders import Folders
from deploy.local.processes import PidFile

PREFIX = "telar-throw-away-"
_GRACE = 5.0
_YOUNG = 60.0


def end_processes(folders: Folders) -> list[str]:
    """End recorded processes that still run, all at once; the names of what was ended."""
    records = folders.pid_files()
    if not records:
        return []
    with ThreadPoolExecutor(len(records)) as pool:
        ended = pool.map(_end, records)
        return [record.stem for record, pid in zip(records, ended, strict=True) if pid]


def _end(record: Path) -> int | None:
    return PidFile(record).end(_GRACE)


def sweep() -> None:
    """Delete our throw-away folders that no stack holds; a young one may be about to be held."""
    for root in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        about = root.stat(follow_symlinks=False)
        ours = about.st_uid == os.geteuid() and time.time() - about.st_mtime > _YOUNG
        if ours and not Folders(root).is_held():
            end_processes(Folders(root))
            shutil.rmtree(root, ignore_errors=True)
