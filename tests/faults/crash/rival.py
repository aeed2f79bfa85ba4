"""Another replica, as far as conflicts go: it raises versions that a service has just loaded."""

import asyncio
from collections.abc import Sequence

from tests.faults.crash.checker import Databases

TIMES = 40
PAUSE = 0.004


async def contend(databases: Databases, shelf: str, keys: Sequence[str]) -> None:
    """Be first on these documents, again and again; nothing of their content changes."""
    for _ in range(TIMES):
        raised = {"$inc": {"version": 1}}
        await databases.shelf["shelves"].update_one({"_id": shelf}, raised)
        await databases.reader["cards"].update_many({"_id": {"$in": list(keys)}}, raised)
        await asyncio.sleep(PAUSE)
