"""Offers with a clock: answered as each woman does, until the list has come to rest."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from cli.demo.client import Client, Who, until

_PATIENCE = 120.0
_GLANCE = 0.2

_CALLS = 10
_LONGEST = 60


def seconds(client: Client, at_least: int) -> int:
    """How long an offer must last here, so that only those miss it who are meant to.

    Until she sees it and has answered, so many calls may pass, as slow as this machine makes them.
    """
    return max(at_least, min(round(_CALLS * client.pace), _LONGEST))


async def settle(
    client: Client,
    desk: Who,
    path: str,
    answer: Callable[[Any], Coroutine[Any, Any, None]],
    *,
    going_on: asyncio.Task[None],
    **where: object,
) -> None:
    """Have every offer of this list answered once, as soon as it is there.

    Returns when what makes offers is over and none is open any more.
    """
    seen: set[tuple[str, str]] = set()

    async with asyncio.TaskGroup() as answers:

        async def at_rest() -> bool:
            offers = await client.all(desk, path, status="offered", **where)
            fresh = [one for one in offers if (one["id"], one["expires_at"]) not in seen]
            seen.update((one["id"], one["expires_at"]) for one in fresh)
            for one in fresh:
                answers.create_task(answer(one))
            return not offers

        while not going_on.done():
            await at_rest()
            await asyncio.wait([going_on], timeout=_GLANCE)
        await until(at_rest, f"no open offer in {path}", _PATIENCE)


async def while_answered(
    work: Coroutine[Any, Any, None],
    answering: Callable[[asyncio.Task[None]], Coroutine[Any, Any, None]],
) -> None:
    """Do this, and have the offers that come of it answered meanwhile and to the end."""
    async with asyncio.TaskGroup() as group:
        group.create_task(answering(group.create_task(work)))
