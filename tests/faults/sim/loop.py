"""Virtual time: a loop that never waits, and processes that die or freeze at an await."""

from __future__ import annotations

import asyncio
import heapq
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
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
        self.kept: list[asyncio.Handle] = []
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


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs what is ready in the order in which it became so; then time jumps."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.steps = 0
        self.ready: deque[asyncio.Handle] = deque()
        self.buried: list[asyncio.Handle] = []
        self.complaints: list[str] = []
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._count = 0

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self.now

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Next, after what is ready."""
        handle = asyncio.Handle(callback, args, self, context)
        self.ready.append(handle)
        return handle

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """After so many virtual seconds."""
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """At this virtual instant; of two at one instant the first asked for is first."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, handle))
        return handle

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

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is skipped when its time comes."""

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
        if not self.ready:
            self._jump()
        ready, self.ready = self.ready, deque()
        self.steps += len(ready)
        assert self.steps < MOST_STEPS, "never comes to rest"
        while ready:
            handle = ready.popleft()
            if handle._cancelled:
                continue
            process = handle._context.get(PROCESS)  # pyrefly: ignore[missing-attribute]
            if process is None or (process.is_alive and not process.is_frozen):
                handle._run()
            elif process.is_alive:
                process.kept.append(handle)
            else:
                self.buried.append(handle)

    def _jump(self) -> None:
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
        assert timers, "everybody waits for everybody"
        self.now = max(self.now, timers[0][0])
        while timers and timers[0][0] <= self.now:
            self.ready.append(heapq.heappop(timers)[2])
