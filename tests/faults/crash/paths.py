"""Which call path a call serves: the loop of the runtime, or the intents of the writer's batch.

A loop is known by the name of its task, a batch by the kinds of its intents, a request by its
route. Tasks inherit the path of the task that made them.
"""

import asyncio
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any

from shared.chassis import draft, writer
from shared.chassis.draft import Draft
from shared.chassis.heads import Announcer
from shared.chassis.ports import Store
from shared.chassis.repair import Repair
from shared.chassis.runtime import Runtime
from shared.chassis.tail import Tail
from shared.chassis.work import Work
from shared.chassis.writer import Writer
from shared.model import Handlers

LOOPS = {
    "writer": "conflict",
    "publisher": "publish",
    "intake": "poll",
    "deadlines": "due",
    "repair": "parking",
}
"""Loops by what they are for; the others are called as their task is."""

INTENTS = {
    "CommandWork": "command",
    "Arrival": "consume",
    "TickWork": "tick",
    "Drain": "drain",
    "Hear": "hear",
    "Mend": "mend",
    "Noted": "order",
    "Begin": "order",
    "Fill": "fill",
}

PARTS = {
    (Announcer, "_answer"): "resend",
    (Repair, "_ask"): "ask",
    (Repair, "listen"): "listen",
    (Runtime, "stop"): "stop",
    (Tail, "ahead"): "start check",
    (Tail, "_send_since"): "lost topic",
}
"""Parts of loops that are paths of their own."""

REQUIRED = frozenset(
    {
        *LOOPS.values(),
        *INTENTS.values(),
        *PARTS.values(),
        "adopt",
        "backfill",
        "boot",
        "clock",
        "heads",
        "operations",
        "query",
        "ready",
        "sweep",
        "tail",
    }
)
"""Paths that a run must have died on."""

_loop: ContextVar[str] = ContextVar("loop", default="start")
_closer: ContextVar[frozenset[str] | None] = ContextVar("closer", default=None)


def here() -> frozenset[str]:
    """The paths that the running call serves: several if its batch holds several kinds."""
    name = _task()
    if not name.startswith("Task-"):
        _loop.set(LOOPS.get(name, name))
    return _closer.get() or frozenset({_loop.get()})


def _task() -> str:
    try:
        task = asyncio.current_task()
    except RuntimeError:  # a thread: it runs in the context of its step
        return "Task-"
    return task.get_name() if task else "Task-"


@contextmanager
def serving(*paths: str) -> Iterator[None]:
    """What is called in here serves these paths."""
    token = _closer.set(frozenset(paths))
    try:
        yield
    finally:
        _closer.reset(token)


def follow() -> None:
    """Tell the paths apart that share a loop, in this process."""
    for (owner, name), path in PARTS.items():
        _serve(owner, name, path)
    fold, commit = draft.drafted, Writer._commit

    async def folded(
        store: Store, handlers: Handlers, works: list[Work], *more: Any, **how: Any
    ) -> Draft:
        with serving(*map(_kind, works)):
            return await fold(store, handlers, works, *more, **how)

    async def committed(self: Writer, folded: Draft, *, is_last: bool) -> None:
        with serving(*map(_kind, folded.works)):
            await commit(self, folded, is_last=is_last)

    replace(draft, "drafted", folded)
    replace(writer, "drafted", folded)
    replace(Writer, "_commit", committed)


def replace(owner: type | ModuleType, name: str, other: object) -> None:
    """Put another function, or value, in the place of one that is there."""
    assert name in vars(owner), f"{owner.__name__}.{name} is gone"
    setattr(owner, name, other)


def _kind(work: Work) -> str:
    name = type(work).__name__
    return INTENTS.get(name, name.lower())


def _serve(owner: type, name: str, path: str) -> None:
    function: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(function)
    async def served(*args: Any, **kwargs: Any) -> Any:
        with serving(path):
            return await function(*args, **kwargs)

    replace(owner, name, served)


class Requests:
    """ASGI: what a request reads serves its route; what it commands is the writer's."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with serving(_route(scope["path"])):
            await self._app(scope, receive, send)


def _route(path: str) -> str:
    if path.endswith("/adopt-topic"):
        return "adopt"
    first = path.split("/")[1]
    return {"readyz": "ready", "operations": "operations"}.get(first, "query")
