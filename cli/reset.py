"""`telar reset`: deletes what a stack that is down has written."""

import shutil
import sys
from pathlib import Path

import typer

from cli import usage
from deploy.local.command import line
from deploy.local.folders import Folders, InUse
from deploy.local.leftovers import end_processes


def reset(folder: Path, *, sure: bool) -> int:
    """Delete the parts of the data folder that are ours, and nothing else in it."""
    folders = Folders(folder)
    parts = (folders.mongo, folders.kafka, folders.keys, folders.logs, folders.run)
    found = [part for part in (*parts, folders.restoring) if part.exists()] + folders.asides()
    if not found:
        print(f"Nothing to delete in {folder}", file=sys.stderr)
        return usage.OK
    if not (sure or _agreed(folder)):
        return usage.FAILED
    try:
        with folders.held():
            end_processes(folders)
            for part in found:
                shutil.rmtree(part)
            folders.unfinished.unlink(missing_ok=True)
    except InUse:
        print(f"A stack is up on {folder}: `{line('telar down', folder)}` first", file=sys.stderr)
        return usage.FAILED
    print(f"Deleted all data, keys and logs in {folder}", file=sys.stderr)
    return usage.OK


def _agreed(folder: Path) -> bool:
    if not sys.stdin.isatty():
        print("Nobody here to ask: say --yes", file=sys.stderr)
        return False
    return typer.confirm(f"Delete all data, keys and logs in {folder}?")
