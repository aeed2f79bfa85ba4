"""Every coroutine of the classes that touch a server, wrapped: before and after each call.

Found by introspection, so a new one is covered by itself. An asynchronous context manager is two
calls, `enter` and `exit`; of a generator each piece is one. Of a step that runs in a thread each
call of the driver is one.
"""

import functools
import inspect
import pkgutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

from shared.chassis import kafka, mongo
from tests.faults.driver import sites

PACKAGES = (mongo, kafka)
SIDES = ("before", "after")

Touch = Callable[[str, str], None]
"""Told the name of a call and which side of it this is."""


def names() -> set[str]:
    """Every call that a test can stop at, as `package.Class.method`."""
    found = sites.blocking()
    for name, _, function in _found():
        found |= {f"{name}.enter", f"{name}.exit"} if _is_context(function) else {name}
    return found


def wrap(touch: Touch) -> None:
    """Wrap them all, in this process."""
    for name, owner, function in _found():
        kind = _coroutine
        if inspect.isasyncgenfunction(function):
            kind = _generator
        elif _is_context(function):
            kind = _context
        setattr(owner, name.rpartition(".")[2], kind(name, function, touch))
    for driver, methods in sites.BLOCKING.items():
        for method in methods:
            setattr(driver, method, _blocking(method, getattr(driver, method), touch))


def _found() -> list[tuple[str, type, Callable[..., Any]]]:
    """Name, class and function of each."""
    return [
        (f"{package.__name__.rpartition('.')[2]}.{owner.__name__}.{name}", owner, one)
        for package in PACKAGES
        for module in _modules(package)
        for owner in list(vars(module).values())
        if inspect.isclass(owner) and owner.__module__ == module.__name__
        for name, one in list(vars(owner).items())
        if inspect.iscoroutinefunction(one) or inspect.isasyncgenfunction(one) or _is_context(one)
    ]


def _modules(package: ModuleType) -> list[ModuleType]:
    inside = pkgutil.iter_modules(getattr(package, "__path__", ()))
    return [package, *[import_module(f"{package.__name__}.{one.name}") for one in inside]]


def _is_context(one: Any) -> bool:
    return hasattr(one, "__wrapped__") and inspect.isasyncgenfunction(inspect.unwrap(one))


def _coroutine(name: str, function: Callable[..., Any], touch: Touch) -> Callable[..., Any]:
    @functools.wraps(function)
    async def called(*args: Any, **kwargs: Any) -> Any:
        touch(name, "before")
        answer = await function(*args, **kwargs)
        touch(name, "after")
        return answer

    return called


def _blocking(name: str, method: Callable[..., Any], touch: Touch) -> Callable[..., Any]:
    @functools.wraps(method)
    def called(*args: Any, **kwargs: Any) -> Any:
        function = sites.here()
        if function is None:
            return method(*args, **kwargs)
        touch(f"{function}: {name}", "before")
        answer = method(*args, **kwargs)
        touch(f"{function}: {name}", "after")
        return answer

    return called


def _generator(name: str, function: Callable[..., Any], touch: Touch) -> Callable[..., Any]:
    @functools.wraps(function)
    async def generated(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        touch(name, "before")
        async for piece in function(*args, **kwargs):
            touch(name, "after")
            yield piece
            touch(name, "before")
        touch(name, "after")

    return generated


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
