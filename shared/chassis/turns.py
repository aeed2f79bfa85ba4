"""Much work in small pieces: on one loop whoever waits for nothing would hold up everybody."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

T = TypeVar("T")

AT_A_TIME = 16
"""Events of which one piece of work is made: about a third of a millisecond."""


async def in_turns(items: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """These in slices. Between two of them others have a turn; a few are handed on at once."""
    for start in range(0, len(items), AT_A_TIME):
        if start:
            await asyncio.sleep(0)
        yield items[start : start + AT_A_TIME]
