"""Deadlines for what knows none: a client that stops when it likes, a call that blocks."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from contextvars import copy_context
from typing import Any, TypeVar

T = TypeVar("T")
Step = Callable[[], Coroutine[Any, Any, Any]]

_A_PART = 0.3


class Aside:
    """Work that goes on beside its caller; held here, so that nothing is lost or left behind."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begin it; its errors are nobody's."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_look_at)
        return task

    async def settle(self, seconds: float) -> None:
        """Wait so long for all of it; cancel what is left then."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in self._tasks:
            task.cancel()


async def in_thread(call: Callable[[], object], seconds: float) -> None:
    """Run a blocking call, and return after so many seconds whether or not it has ended.

    In a daemon thread of its own: the loop would join those of its executor at the end, however
    long they take.
    """
    ended, loop = asyncio.Event(), asyncio.get_running_loop()

    def run() -> None:
        call()
        with suppress(RuntimeError):  # the loop is gone: nobody waits
            loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=run, daemon=True).start()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ended.wait()


class Conversation:
    """Steps that exclude each other, each in a thread, and to its end even if its caller goes away.

    After any error it is over, and to go on would be a fault of the caller.
    """

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._running: asyncio.Future[Any] | None = None
        self._door = threading.Lock()
        self.is_over = self.has_passed = False

    @property
    def is_busy(self) -> bool:
        """Whether a step runs."""
        return self._running is not None and not self._running.done()

    async def step(self, call: Callable[..., T], *arguments: Any) -> T:
        """Run one step."""
        if self.is_over:
            raise RuntimeError("this transaction has ended")
        running = self._running = self._start(call, *arguments)
        try:
            return await asyncio.shield(running)
        except BaseException:
            with self._door:
                self.is_over = True
            raise

    def passes(self) -> bool:
        """In a step, before what cannot be taken back: whether the caller still waits for it.

        If so, he knows it by `has_passed`, however he goes away then.
        """
        with self._door:
            self.has_passed = not self.is_over
            return self.has_passed

    async def finish(self, call: Callable[[], object]) -> None:
        """Run this when no step is running any more."""
        if self._running is not None:
            await asyncio.wait({self._running})
        await self._start(call)

    def _start(self, call: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._threads, copy_context().run, call, *arguments)


async def at_most(seconds: float, work: Coroutine[Any, Any, Any]) -> None:
    """Run it for so long, and cancel it then; whatever it raises is its own affair."""
    task = asyncio.create_task(work)
    task.add_done_callback(_look_at)
    await asyncio.wait({task}, timeout=seconds)
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=0.2)


def _look_at(task: asyncio.Task[Any]) -> None:
    """The loop complains about errors that nobody looked at."""
    if not task.cancelled():
        task.exception()


class Watch:
    """Tells a consumer that has nothing to do from one that is stuck."""

    def __init__(self, quiet: float, settling: float) -> None:
        self._quiet, self._settling = quiet, settling
        self._since = self._looked = time.monotonic()

    def works(self) -> None:
        """Records came, or it is known that there are none."""
        self._since = self._looked = time.monotonic()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing came for a while: time to look whether there is anything."""
        return time.monotonic() - self._looked > self._quiet

    def records_wait(self) -> bool:
        """There are some; whether they have waited for so long that they will never come."""
        self._looked = time.monotonic()
        return self._looked - self._since > 3 * self._quiet

    @property
    def never_settles(self) -> bool:
        """Whether a poll has not come back for longer than any group takes."""
        return time.monotonic() - self._since > self._settling


async def end(stop: Step, seconds: float, parts: Callable[[], Sequence[Step]]) -> None:
    """Stop politely for so long; then part by part: a stop that was cut short leaves them."""
    if seconds > 0:
        polite = asyncio.create_task(stop())
        polite.add_done_callback(_look_at)
        await asyncio.wait({polite}, timeout=seconds)
        if polite.done() and not polite.cancelled() and not polite.exception():
            return
        polite.cancel()
    for part in parts():
        await at_most(_A_PART, part())
