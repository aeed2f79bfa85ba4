"""Virtual time: a loop that never waits, and processes that die or freeze at an await."""

from __future__ import annotations

import asyncio
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from heapq import heappop, heappush
from typing import Any, TypeVar

T = TypeVar("T")

MOST_STEPS = 2_000_000
"""A seed that takes more than this has a loop that never comes to rest."""


class Process:
    """An operating system's process: what it would do next is dropped once it is dead, kept back
    while it is frozen.

    Whatever task is created in its context belongs to it.
    """

    def __init__(self, name: str, loop: VirtualLoop) -> None:
        self.name, self._loop = name, loop
        self.is_alive, self.is_frozen = True, False
        self.skew = 0.0
        """Seconds by which the clock of its machine is wrong."""
        self.kept: list[Handle] = []
        self.at_death: list[Callable[[], object]] = []
        self.at_freeze: list[Callable[[], object]] = []
        self._context = copy_context()
        self._context.run(PROCESS.set, self)

    def run(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task of this process."""
        return self._loop.create_task(work, name=self.name, context=self._context.copy())

    def call(self, function: Callable[[], T]) -> T:
        """Call a function as this process."""
        return self._context.copy().run(function)

    def kill(self) -> None:
        """No await ever returns here again; no `finally` runs."""
        self.is_alive = False
        self._loop.buried += self.kept
        self.kept = []
        for told in tuple(self.at_death):  # who is told may take itself out
            told()

    def freeze(self) -> None:
        """SIGSTOP."""
        self.is_frozen = True
        for told in tuple(self.at_freeze):
            told()

    def thaw(self) -> None:
        """SIGCONT: what came due in the meantime comes now."""
        self.is_frozen = False
        self._loop.ready.extend(self.kept)
        self.kept = []


PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


class Handle:
    """What `asyncio.Handle` is to a loop, without asking each time whether it is debugged."""

    __slots__ = ("arguments", "callback", "context", "is_cancelled")

    def __init__(
        self, callback: Callable[..., object], arguments: tuple[Any, ...], context: Context | None
    ) -> None:
        self.callback, self.arguments = callback, arguments
        self.context = copy_context() if context is None else context
        self.is_cancelled = False

    def cancel(self) -> None:
        """It is skipped when its turn comes."""
        self.is_cancelled = True
        self.arguments = ()  # what it would have done may be much


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs what is ready in the order in which it became so; then time jumps."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.steps = 0
        self.ready: deque[Handle] = deque()
        self.buried: list[Handle] = []
        self.complaints: list[str] = []
        self._timers: list[tuple[float, int, Handle]] = []
        self._count = 0

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self.now

    # The three return no `asyncio.Handle`; whoever calls them only ever cancels it.

    def call_soon(  # pyrefly: ignore[bad-override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Handle:
        """Next, after what is ready."""
        handle = Handle(callback, args, context)
        self.ready.append(handle)
        return handle

    def call_later(  # pyrefly: ignore[bad-override]
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> Handle:
        """After so many virtual seconds."""
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(  # pyrefly: ignore[bad-override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> Handle:
        """At this virtual instant; of two at one instant the first asked for is first."""
        handle = Handle(callback, args, context)
        self._count += 1
        heappush(self._timers, (when, self._count, handle))
        return handle

    def sleep(self, seconds: float) -> Coroutine[Any, Any, None]:
        """`asyncio.sleep`, which asks the system each time whose loop this is."""
        return self.until(self.create_future(), seconds)

    async def until(self, over: asyncio.Future[None], seconds: float) -> None:
        """Return when somebody says that it is over, or after so many virtual seconds."""
        timer = self.call_later(seconds, _resolve, over)
        try:
            await over
        finally:
            timer.cancel()

    def create_task(
        self, coro: Any, *, name: object = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        """A task of the process that asks, unless a context says otherwise."""
        return asyncio.Task(coro, loop=self, name=str(name), context=context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Errors that nobody looked at; tasks of dead processes are no error."""
        error = context.get("exception")
        if error is not None:
            self.complaints.append(f"{context.get('message')}: {error!r}")

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run until this is done."""
        events._set_running_loop(self)
        try:
            task = self.create_task(main)
            while not task.done():
                self._step()
            return task.result()
        finally:
            events._set_running_loop(None)

    def _step(self) -> None:
        """Run what is ready now; what becomes so meanwhile is the next step's."""
        ready = self.ready
        if not ready:
            self._jump()
        self.steps += len(ready)
        assert self.steps < MOST_STEPS, "never comes to rest"
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle.is_cancelled:
                continue
            process = handle.context.get(PROCESS)
            if process is not None and not process.is_alive:
                self.buried.append(handle)
                continue
            if process is not None and process.is_frozen:
                process.kept.append(handle)
                continue
            try:
                handle.context.run(handle.callback, *handle.arguments)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                message = f"Exception in callback {handle.callback}"
                self.call_exception_handler({"message": message, "exception": error})

    def _jump(self) -> None:
        timers = self._timers
        while timers and timers[0][2].is_cancelled:
            heappop(timers)
        assert timers, "everybody waits for everybody"
        self.now = max(self.now, timers[0][0])
        while timers and timers[0][0] <= self.now:
            self.ready.append(heappop(timers)[2])


def _resolve(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
