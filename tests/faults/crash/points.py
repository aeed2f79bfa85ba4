"""Every coroutine of the classes that touch a server, wrapped: before and after each call.

Found by introspection, so a new one is covered by itself. An asynchronous context manager is two
calls, `enter` and `exit`.
"""

import functools
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

from shared.chassis import kafka, mongo

MODULES = (mongo, kafka)
SIDES = ("before", "after")

Touch = Callable[[str, str], None]
"""Told the name of a call and which side of it this is."""


def names() -> set[str]:
    """Every call that a test can stop at, as `module.Class.method`."""
    found: set[str] = set()
    for module in MODULES:
        for name, function in _coroutines(module):
            found |= {f"{name}.enter", f"{name}.exit"} if _is_context(function) else {name}
    return found


def wrap(touch: Touch) -> None:
    """Wrap them all, in this process."""
    for module in MODULES:
        for name, function in _coroutines(module):
            wrapper = _context(name, function, touch) if _is_context(function) else None
            owner, attribute = _place(module, name)
            setattr(owner, attribute, wrapper or _coroutine(name, function, touch))


def _coroutines(module: ModuleType) -> list[tuple[str, Callable[..., Any]]]:
    label = module.__name__.rpartition(".")[2]
    owned = [one for one in vars(module).values() if inspect.isclass(one)]
    return [
        (f"{label}.{owner.__name__}.{name}", one)
        for owner in owned
        if owner.__module__ == module.__name__
        for name, one in vars(owner).items()
        if inspect.iscoroutinefunction(one) or _is_context(one)
    ]


def _place(module: ModuleType, name: str) -> tuple[Any, str]:
    _, *path, attribute = name.split(".")
    return functools.reduce(getattr, path, module), attribute


def _is_context(one: Any) -> bool:
    return inspect.isfunction(one) and inspect.isasyncgenfunction(inspect.unwrap(one))


def _coroutine(name: str, function: Callable[..., Any], touch: Touch) -> Callable[..., Any]:
    @functools.wraps(function)
    async def called(*args: Any, **kwargs: Any) -> Any:
        touch(name, "before")
        answer = await function(*args, **kwargs)
        touch(name, "after")
        return answer

    return called


def _context(name: str, function: Callable[..., Any], touch: Touch) -> Callable[..., Any]:
    @asynccontextmanager
    async def entered(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        touch(f"{name}.enter", "before")
        async with function(*args, **kwargs) as value:
            touch(f"{name}.enter", "after")
            try:
                yield value
            finally:
                touch(f"{name}.exit", "before")
        touch(f"{name}.exit", "after")

    return functools.wraps(function)(entered)
