"""A command that somebody is told to run, as it can be typed here."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from deploy.local import folders


def line(command: str, data: Path) -> str:
    """`telar …` for the stack on this folder, which is named where it is not the usual one."""
    name, _, words = command.partition(" ")
    if name != "telar":
        return command
    on = "" if data == folders.default().resolve() else f" --data-dir {shlex.quote(str(data))}"
    return f"{shlex.quote(program())} {words}{on}"


def program() -> str:
    """The command by the name under which it is found here."""
    installed = Path(sys.executable).with_name("telar")
    if shutil.which("telar") == str(installed):
        return "telar"
    relative = os.path.relpath(installed)
    here = relative if os.sep in relative else f".{os.sep}{relative}"
    return min(here, str(installed), key=len)
