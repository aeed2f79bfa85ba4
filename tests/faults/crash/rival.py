"""Another replica, as far as conflicts go: it writes to what a service has just loaded."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from pymongo.errors import OperationFailure

from tests.faults.crash.checker import Databases
from tests.faults.crash.history import History

TIMES = 6
HELD, PAUSE = 0.15, 0.03
"""Seconds: so long that a group is tried more than once, and that others come to wait with it."""


async def contend(databases: Databases, history: History, shelf: str, keys: Sequence[str]) -> None:
    """Be first on these documents, again and again; nothing of their content changes."""
    for _ in range(TIMES):
        if history.is_over:
            return
        await asyncio.gather(
            _hold(databases.shelf["shelves"], [shelf]), _hold(databases.reader["cards"], keys)
        )
        await asyncio.sleep(PAUSE)


async def _hold(collection: Any, ids: Sequence[str]) -> None:
    raised = {"$inc": {"version": 1}}
    with suppress(OperationFailure):  # the service was first
        async with (
            collection.database.client.start_session() as session,
            await session.start_transaction(),
        ):
            await collection.update_many({"_id": {"$in": list(ids)}}, raised, session=session)
            await asyncio.sleep(HELD)
