"""`telar up` and what it meets: signals."""

import subprocess
import sys

import pytest

SIGNALS = """
import os, signal
from rich.console import Console
from cli.up import Interrupted, Signals
class Platform:
    stopping = False
    def kill_all(self):
        os.write(copy, b"killed")
copy = os.dup(1)
Signals(Platform(), Console())
for name in {names}:
    try:
        os.kill(os.getpid(), getattr(signal, name))
    except Interrupted:
        os.write(copy, b"interrupted ")
os.write(copy, b"over")
"""


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["SIGHUP", "SIGHUP"], "interrupted over"),
        (["SIGINT", "SIGHUP"], "interrupted over"),
        (["SIGINT", "SIGINT"], "interrupted killed"),
        (["SIGHUP", "SIGTERM"], "interrupted killed"),
    ],
)
def test_a_closed_terminal_is_no_second_wish(names: list[str], said: str) -> None:
    code = SIGNALS.format(names=names)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == said, done.stderr
