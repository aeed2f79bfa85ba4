"""`telar down`: ends the stack in good order, and what a killed one has left."""

import os
import select
import signal
import sys
from pathlib import Path

from cli import usage
from deploy.local.folders import Folders
from deploy.local.leftovers import end_processes
from deploy.local.processes import PidFile
from deploy.local.report import Report

_PATIENCE = 15.0


def down(folder: Path) -> int:
    """Stop what is up; it is no error if nothing is."""
    folders = Folders(folder)
    report = Report()
    owner = PidFile(folders.owner).pid()
    if folders.is_held() and owner:
        with report.step("Stopping", "Stopped"):
            ended = _end(owner)
        if not ended:
            print(f"`telar up` (process {owner}) does not end", file=sys.stderr)
            return usage.FAILED
    elif names := end_processes(folders):
        report.say(f"Ended what a killed stack had left: {', '.join(names)}")
    else:
        report.say(f"Nothing is up on {folder}")
    return usage.OK


def _end(owner: int) -> bool:
    """Ask the process that runs the stack to stop it; whether it has ended in time."""
    handle = os.pidfd_open(owner)
    try:
        signal.pidfd_send_signal(handle, signal.SIGTERM)
        return bool(select.select([handle], [], [], _PATIENCE)[0])
    finally:
        os.close(handle)
