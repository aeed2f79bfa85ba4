"""Deadlines for what knows none: a client that stops when it likes, a call that blocks."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


class Aside:
    """Work that goes on beside its caller; held here, so that nothing is lost or left behind."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begin it; its errors are nobody's."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def settle(self, seconds: float) -> None:
        """Wait so long for all of it; cancel what is left then."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in self._tasks:
            task.cancel()

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # looked at: the loop has nothing to complain about


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
    """Steps that exclude each other, each run to its end even if its caller goes away.

    After any error it is over, and to go on would be a fault of the caller.
    """

    def __init__(self) -> None:
        self._running: asyncio.Task[Any] | None = None
        self.is_over = False

    async def step(self, work: Coroutine[Any, Any, T]) -> T:
        """Run one step."""
        if self.is_over:
            work.close()
            raise RuntimeError("this transaction has ended")
        task = self._running = asyncio.create_task(work)
        try:
            return await asyncio.shield(task)
        except BaseException:
            self.is_over = True
            raise

    async def silence(self) -> None:
        """Return when no step is running any more."""
        if self._running is not None:
            await asyncio.wait({self._running})
