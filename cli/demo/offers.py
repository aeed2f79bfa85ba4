"""Offers with a clock: answered as each woman does, until the list has come to rest."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from cli.demo.client import Client, Who, until

_PATIENCE = 120.0


async def settle(
    client: Client,
    desk: Who,
    path: str,
    answer: Callable[[Any], Awaitable[None]],
    **where: object,
) -> None:
    """Have every offer of this list answered once; returns when none is open any more."""
    seen: set[tuple[str, str]] = set()

    async def at_rest() -> bool:
        offers = await client.all(desk, path, status="offered", **where)
        fresh = [one for one in offers if (one["id"], one["expires_at"]) not in seen]
        seen.update((one["id"], one["expires_at"]) for one in fresh)
        await asyncio.gather(*(answer(one) for one in fresh))
        return not offers

    await until(at_rest, f"no open offer in {path}", _PATIENCE)
