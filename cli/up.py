"""`telar up`: the stack in the foreground, or in the background until `telar down`."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from rich.console import Console

from cli import show, usage
from deploy.local import leftovers, prerequisites
from deploy.local.fetch import NotFetched
from deploy.local.folders import InUse
from deploy.local.plan import Plan
from deploy.local.platform import Platform
from deploy.local.ports import NoPorts
from deploy.local.processes import DiedEarly
from deploy.local.report import Report
from deploy.local.stack import Stack
from deploy.local.supervisor import NotStarted

_FORESEEN = (prerequisites.Missing, NotFetched, InUse, NotStarted, NoPorts, DiedEarly, OSError)


@dataclass(frozen=True)
class Wish:
    """What was asked for; no women, no demo."""

    folder: Path
    plan: Plan
    women: int = 0
    then_down: bool = False
    greet: bool = True


class Interrupted(BaseException):
    """A signal asked for an orderly end."""


class Signals:
    """The first signal ends in good order, the second at once.

    A terminal that is closed is no second one: the kernel and the shell say it, one each.
    """

    def __init__(self, platform: Platform, console: Console) -> None:
        self._platform, self._console = platform, console
        self._seen = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on)

    def _on(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._leave_terminal()
            if self._seen:
                return
        if self._seen:
            self._platform.kill_all()
            self._console.show_cursor(show=True)
            os._exit(usage.INTERRUPTED)
        self._seen = True
        if not self._platform.stopping:
            raise Interrupted

    def _leave_terminal(self) -> None:
        """The terminal is gone: a word to it would fail and spoil the orderly end."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)


def foreground(wish: Wish) -> int:
    """Start, run the demo if asked, stay until a signal, stop."""
    report = Report()
    with _folder(wish) as folder:
        platform = Platform(folder, wish.plan, report)
        Signals(platform, report.console)
        try:
            prerequisites.ensure(report)
            platform.start()
            code = _use(wish, folder, report)
        except Interrupted:
            code = usage.OK if platform.is_up else usage.INTERRUPTED
        except _FORESEEN as problem:
            report.console.print(f"✗ {usage.in_words(problem)}", style="red", markup=False)
            code = usage.FAILED
        if platform.is_up:
            with report.step("Stopping; Ctrl-C again ends all at once", "Stopped"):
                platform.stop()
        return code


def _use(wish: Wish, folder: Path, report: Report) -> int:
    """What happens between ready and the end."""
    if wish.greet and (stack := Stack.find(folder)):
        show.welcome(report.console, stack)
    code = _demo(wish, folder) if wish.women else usage.OK
    if not wish.then_down:
        if wish.greet:
            report.console.print("\nReady. Ctrl-C stops everything.")
        signal.pause()
    return code


def _demo(wish: Wish, folder: Path) -> int:
    """In a process of its own, so that the supervisor stays small."""
    options = ("--women", str(wish.women), "--data-dir", str(folder))
    command = (sys.executable, "-P", "-m", "cli", "demo", *options)
    with subprocess.Popen(command) as demo:  # noqa: S603 - our own command
        try:
            return demo.wait()
        except Interrupted:
            _let_go(demo)
            raise


def _let_go(demo: subprocess.Popen[bytes]) -> None:
    """It heard Ctrl-C too, if it was one, and puts the terminal in order before it ends."""
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            demo.wait(2)
        except subprocess.TimeoutExpired:
            demo.send_signal(number)


@contextmanager
def _folder(wish: Wish) -> Iterator[Path]:
    if not wish.plan.throw_away:
        yield wish.folder
        return
    leftovers.sweep()
    folder = Path(tempfile.mkdtemp(prefix=leftovers.PREFIX))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
