"""A child process as its parent sees it: what it reached, whether it lives, how it ended."""

import asyncio
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

import httpx2

from tests.faults.crash import child
from tests.faults.crash.plans import Home, Plan

PATIENCE = 30.0
"""Seconds until a new process must be ready."""

STOP = 12.0
"""Seconds that a stop may take: the promised 10 and a busy machine."""

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.faults.crash.child"])

Place = tuple[str, str, str]
"""A path, a call, a side of it."""

When = Literal["new", "run", "stop", "cut"]

Seen = Callable[[str, Place, When], None]
"""Told the service, the place and when it was first reached, once for each life."""


class Process:
    """One life of a service. `happened`: what was planned; `struck`: where; `gone`: it ended."""

    def __init__(self, home: Home, seen: Seen, plan: Plan | None = None) -> None:
        self.home, self._seen = home, seen
        self.happened = asyncio.Event()
        self.struck: Place | None = None
        self.gone = asyncio.Event()
        self._when: When = "new"
        home.socket.unlink(missing_ok=True)
        self._pipe, theirs = _FORKS.Pipe()
        self._process = _FORKS.Process(target=child.main, args=(home, theirs, plan), daemon=True)
        self._process.start()
        theirs.close()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._pipe.fileno(), self._hear)

    def arm(self, plan: Plan | None) -> None:
        """From now on this is planned, or nothing."""
        self.happened.clear()
        self.struck = None
        with suppress(OSError):
            self._pipe.send(plan)

    async def strikes(self, within: float) -> bool:
        """Wait so many seconds for what is planned; whether it happened."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self.happened.wait()
        return self.happened.is_set()

    def loses_its_topic(self) -> None:
        """From now on until it is ready again: the topic is made anew."""
        self._when = "cut"

    def signal(self, number: int) -> None:
        """Send it a signal, if it lives."""
        if number == signal.SIGTERM:
            self._when = "stop"
        if not self.gone.is_set() and self._process.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    async def end(self) -> int | None:
        """Kill it if it lives; how it ended, negative for a signal."""
        self.signal(signal.SIGKILL)
        await self.gone.wait()
        await asyncio.to_thread(self._process.join, 10.0)
        return self._process.exitcode

    async def stopped(self) -> int | None:
        """Wait for an orderly end, or make an end of it; how it ended."""
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP):
                await self.gone.wait()
        return await self.end()

    async def ready(self, http: httpx2.AsyncClient) -> bool:
        """Wait until it says that it is ready; False if it ends before."""
        deadline = time.monotonic() + PATIENCE
        answer: Any = None
        while not self.gone.is_set():
            with suppress(httpx2.TransportError):
                answer = await http.get("/readyz")
                if answer.status_code == 200:
                    self._when = "run"
                    return True
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.home.name} is not ready: {answer and answer.text}")
            await asyncio.sleep(0.1)
        return False

    def _hear(self) -> None:
        try:
            kind, place = self._pipe.recv()
        except (EOFError, OSError):
            self._loop.remove_reader(self._pipe.fileno())
            self._pipe.close()
            self.gone.set()
            return
        if kind == "reached":
            self._seen(self.home.name, place, self._when)
        else:
            self.struck = place
            self.happened.set()
