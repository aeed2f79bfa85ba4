"""`telar up --detach`: the same stack in a process of its own, told about until it is ready."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from cli import show, usage
from cli.up import Wish, foreground
from deploy.local.folders import Folders
from deploy.local.plan import Plan
from deploy.local.stack import Stack

_GLANCE = 0.1


def detached(wish: Wish) -> int:
    """Start the stack in the background; returns when all is ready, or has failed."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    folders = Folders(wish.folder)
    if folders.is_held():
        return _already(wish.folder, console)
    folders.make()
    log = folders.log("up")
    process = _launch(wish, log)
    try:
        stack = _follow(process, folders, log)
    except KeyboardInterrupt:
        process.send_signal(signal.SIGTERM)
        process.wait()
        return usage.INTERRUPTED
    if stack is None:
        return usage.FAILED
    show.welcome(console, stack)
    return usage.OK


def _already(folder: Path, console: Console) -> int:
    """Somebody holds the folder: a stack that is up is what was wanted, anything else is not."""
    stack = Stack.find(folder)
    if stack and stack.phase == "ready":
        console.print(f"Already up on {folder}", markup=False)
        return usage.OK
    what = f"The stack is {stack.phase}" if stack else "A backup, a restore or a reset is at work"
    console.print(f"{what} on {folder}: try again when it has ended", markup=False)
    return usage.FAILED


def _launch(wish: Wish, log: Path) -> subprocess.Popen[bytes]:
    plan = wish.plan
    text = json.dumps([str(wish.folder), dict(plan.replicas), sorted(plan.without)])
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603 - our own command
            (sys.executable, "-P", "-m", "cli.background", text),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _follow(process: subprocess.Popen[bytes], folders: Folders, log: Path) -> Stack | None:
    """Repeat what the other process says until it is ready; None when it ends before."""
    with log.open() as lines:
        while True:
            ended = process.poll() is not None
            stack = Stack.find(folders.root)
            for line in lines:
                print(line, end="", file=sys.stderr)
            if ended:
                return None
            if stack and stack.phase == "ready":
                return stack
            time.sleep(_GLANCE)


def main() -> int:
    """The background process."""
    folder, replicas, without = json.loads(sys.argv[1])
    return foreground(Wish(Path(folder), Plan(replicas, frozenset(without)), greet=False))


if __name__ == "__main__":
    sys.exit(main())
