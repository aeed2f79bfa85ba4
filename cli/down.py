"""`telar down`: ends the stack in good order, and what a killed one has left."""

import os
import select
import signal
import sys
from pathlib import Path

from cli import usage
from deploy.local.folders import Folders, InUse
from deploy.local.leftovers import end_processes
from deploy.local.processes import PidFile
from deploy.local.report import Report

_PATIENCE = 15.0


def down(folder: Path) -> int:
    """Stop what is up; it is no error if nothing is."""
    folders = Folders(folder)
    report = Report()
    owner = PidFile(folders.owner).pid()
    held = folders.is_held()
    if held and owner:
        with report.step("Stopping", "Stopped"):
            ended = _end(owner)
        if not ended:
            print(f"`telar up` (process {owner}) does not end", file=sys.stderr)
            return usage.FAILED
        return usage.OK
    try:
        names = _end_left(folders, held=held)
    except InUse:
        text = f"A backup, a restore or a start is at work on {folder}: wait until it has ended"
        print(text, file=sys.stderr)
        return usage.FAILED
    if names:
        report.say(f"Ended what a killed stack had left: {', '.join(names)}")
    else:
        report.say(f"Nothing is up on {folder}")
    return usage.OK


def _end_left(folders: Folders, *, held: bool) -> list[str]:
    """End what nobody looks after. Raises InUse where somebody does."""
    if not (held or folders.pid_files()):
        return []  # and no folder is made
    with folders.held():
        return end_processes(folders)


def _end(owner: int) -> bool:
    """Ask the process that runs the stack to stop it; whether it has ended in time."""
    handle = os.pidfd_open(owner)
    try:
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        return bool(select.select([handle], [], [], _PATIENCE)[0])
    finally:
        os.close(handle)
