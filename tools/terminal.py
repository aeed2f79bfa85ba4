"""Runs a command on a terminal of its own, and says what stood on it at the end."""

import fcntl
import os
import pty
import re
import struct
import termios
from collections.abc import Mapping

_PARTS = re.compile(
    r"\x1b\[(?P<many>\d*)(?P<up>A)|\x1b\[[0-2]?(?P<erase>K)|(?P<colour>\x1b\[[0-9;]*m)"
    r"|\x1b\[\??[0-9;]*[a-zA-Z]|(?P<end>\r?\n)|(?P<home>\r)|(?P<text>[^\x1b\r\n]+)"
)


def run(command: tuple[str, ...], columns: int, rows: int, more: Mapping[str, str]) -> str:
    """All that the command wrote, control sequences included, once it has ended."""
    child, master = pty.fork()
    if child == 0:
        os.execvpe(command[0], command, {**os.environ, **more})  # noqa: S606 - our own command
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    said = b""
    try:
        while some := os.read(master, 65_536):
            said += some
    except OSError:  # Linux says so when the other end is closed
        pass
    os.close(master)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise SystemExit(f"{' '.join(command)} ended with {code}")
    return said.decode("utf-8", "replace")


def screen(said: str) -> list[str]:
    """The lines as they stood at the end, with their colours: bars are drawn over themselves."""
    lines, row = [""], 0
    for part in _PARTS.finditer(said):
        match part.lastgroup:
            case "up":
                row = max(0, row - int(part["many"] or 1))
            case "erase":
                lines[row] = ""
            case "end":
                row += 1
                lines += [""] * (row + 1 - len(lines))
            case "colour" | "text":
                lines[row] += part[0]
    return lines
