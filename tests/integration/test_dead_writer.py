"""A process that is killed in the middle of a transaction holds up the others, but not for long."""

import time
from typing import Any
from uuid import uuid4

from pymongo import AsyncMongoClient

from deploy.local.servers import Servers
from shared.chassis.mongo import MongoStore
from shared.chassis.ports import Conflict, Put
from tests.support.wait import until

FREE = 16.0
"""Seconds after which documents of a dead process's transaction may be written again."""


async def test_documents_of_a_dead_transaction_are_free_within_sixteen_seconds(
    servers: Servers,
) -> None:
    store = MongoStore(servers.mongo, f"dead_{uuid4().hex[:12]}")
    await store.ensure(["things"], [])
    dead: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(servers.mongo)
    abandoned = dead.start_session()
    await abandoned.start_transaction()
    things = dead[store._database.name]["things"]
    await things.insert_one({"_id": "a", "version": 1}, session=abandoned)
    since = time.monotonic()

    async def write() -> bool:
        try:
            async with store.transaction() as transaction:
                await transaction.write([Put("things", {"_id": "a", "version": 1})])
                await transaction.commit()
        except Conflict:
            return False
        return True

    assert not await write()
    await until(write, within=2 * FREE)
    assert time.monotonic() - since < FREE
    await abandoned.end_session()
    await dead.close()
    await store.close()
