"""Waiting for a condition with a deadline, never for time to pass."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(
    look: Callable[[], Awaitable[T]], holds: Callable[[T], object] = bool, *, within: float = 20.0
) -> T:
    """What `look` saw once it `holds`; fails with the last thing seen."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        seen = await look()
        if holds(seen):
            return seen
        if loop.time() > deadline:
            raise AssertionError(f"not within {within} s; last seen: {seen!r}")
        await asyncio.sleep(0.02)
