"""Where a process spends its processor time: looked at from outside, shared out by whose code ran.

py-spy stops the process a hundred times a second and writes down the stack of the thread that holds
Python's lock: that a thread is blocked it does not see on every machine. A stack counts for the
code nearest to its end that has a name here, so that what Python's own library does for somebody
is theirs. Who holds the lock may wait for a core meanwhile: so looks are not taken for more time
than the process used, and what system calls take is told by the kernel.
"""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.sides import Process

A_SECOND = 100
"""Looks a second: more of them would slow down what is looked at."""

PARTS: Mapping[str, tuple[str, ...]] = {
    "MongoDB driver": ("/pymongo/", "/bson/", "/motor/"),
    "Kafka client": ("/aiokafka/",),
    "web framework": ("/uvicorn/", "/starlette/", "/fastapi/"),
    "models": ("/pydantic/", "/shared/types.py"),
    "metrics and logs": ("/prometheus_client/", "/structlog/", "/shared/chassis/metrics.py"),
    "rules": ("/bench/telar.py", "/bench/work.py", "/shared/model.py"),
    "core: the edge": tuple(
        f"/shared/chassis/{name}.py"
        for name in (
            *("http", "edge", "auth", "policy", "strict", "replies", "errors"),
            *("queue", "turns", "query", "contention"),
        )
    ),
    "core: storing": ("/shared/chassis/mongo/",),
    "core: reading and publishing": (
        *("/shared/chassis/kafka/", "/shared/chassis/consumer.py", "/shared/chassis/handled.py"),
        *("/shared/chassis/envelope.py", "/shared/chassis/outbox.py", "/shared/chassis/heads.py"),
    ),
    "core: deciding": ("/shared/chassis/",),
    "the peer's own code": ("/bench/peers/",),
}
"""Whose a file is: the first that fits."""

REST = "the loop, hand-overs to threads"
"""Of whom no frame is any of these."""

SYSTEM = "system calls"
OUTSIDE = "libraries, outside of Python's lock"

_ENTRY = ("/asyncio/runners.py", "/uvloop/__init__.py", "run_until_complete (", "_run_once (")
"""Beneath these stands what started the process, not what it does."""


def part(stack: str) -> str:
    """Whose a stack of py-spy is, frames from the outermost on, `name (file:line)` each."""
    frames = stack.split(";")
    inner = max((at for at, one in enumerate(frames) if any(e in one for e in _ENTRY)), default=-1)
    for frame in reversed(frames[inner + 1 :]):
        for name, files in PARTS.items():
            if any(file in frame for file in files):
                return name
    return REST


@dataclass
class Looked:
    """What was seen of a process, and the seconds that it used meanwhile by the kernel's count."""

    looks: Counter[str] = field(default_factory=Counter)
    user: float = 0.0
    system: float = 0.0

    def of_one(self, count: int) -> dict[str, Any]:
        """The microseconds of one, of so many that were done; parts add up to all."""
        total = self.looks.total()
        a_look = min(1 / A_SECOND, self.user / total)
        parts = {name: seen * a_look for name, seen in self.looks.most_common()}
        parts |= {SYSTEM: self.system, OUTSIDE: self.user - total * a_look}
        us = {name: round(took / count * 1e6, 1) for name, took in parts.items() if took > 1e-6}
        every = round((self.user + self.system) / count * 1e6, 1)
        return {"looks": total, "all": every, "parts": us}


@contextmanager
def sampled(process: Process) -> Iterator[Looked]:
    """Look at a process for as long as the block lasts; what was seen is there when it is over.

    Raises `RuntimeError` if py-spy may not look, saw nothing, or looked less often than it was to.
    """
    raw, looked = process.log.with_suffix(".stacks"), Looked()
    looking = subprocess.Popen(
        [
            *(str(Path(sys.executable).with_name("py-spy")), "record", "--full-filenames"),
            *("--gil", "--pid", str(process.child.pid), "--rate", str(A_SECOND)),
            *("--hideprogress", "--format", "raw", "--output", str(raw)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    before = process.times()
    try:
        yield looked
        looked.user, looked.system = (
            now - was for now, was in zip(process.times(), before, strict=True)
        )
    finally:
        looking.send_signal(signal.SIGINT)
        _, said = looking.communicate(timeout=30)
    looked.looks = counted(raw.read_text() if raw.exists() else "", said.decode())


def counted(stacks: str, said: str) -> Counter[str]:
    """Looks by part, from what py-spy wrote and what it complained of."""
    found = Counter[str]()
    for line in stacks.splitlines():
        stack, _, times = line.rpartition(" ")
        found[part(stack)] += int(times)
    if not found or "behind in sampling" in said:
        raise RuntimeError(f"py-spy, {found.total()} looks: {said.strip()}")
    return found
