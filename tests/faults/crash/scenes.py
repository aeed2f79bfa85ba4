"""What happened before: a topic was made anew, or a database was put back from an old backup."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from tests.faults.crash.checker import PARTITIONS, Databases

GONE = 5.0
"""Seconds until a deleted topic is gone, or is there again."""


async def cut(bootstrap: str, topic: str) -> None:
    """Everything of a topic is lost: it is deleted and made anew."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([topic])
        with suppress(TimeoutError):  # a service that looks after its topics may have made it anew
            async with asyncio.timeout(GONE):
                while topic in await admin.list_topics():  # noqa: ASYNC110  the broker's own pace
                    await asyncio.sleep(0.05)
        made = False
        while not made:
            made = await _make(admin, topic)
    finally:
        await admin.close()


async def _make(admin: AIOKafkaAdminClient, topic: str) -> bool:
    try:
        created = await admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    except KafkaError:
        return False
    # 36: a service that looks after its topics was faster.
    return {one["error_code"] for one in created.to_object()["topic_errors"]} <= {0, 36}


async def forget(databases: Databases, service: str, keys: Sequence[str]) -> None:
    """The database of a service is older than what it published of these keys."""
    database = databases.of(service)
    chosen = {"$in": list(keys)}
    await database["streams"].update_many({"_id": chosen}, {"$unset": {f"out.{service}": ""}})
    events = {"$pull": {"events": {"key": chosen}}}
    await database["outbox"].update_many({"events.key": chosen}, events)
    await database["outbox"].delete_many({"events": []})
