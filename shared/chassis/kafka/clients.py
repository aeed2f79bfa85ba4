"""What every client of aiokafka needs: a deadline, one kind of error, and an end."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator

from shared.chassis.patience import end
from shared.chassis.ports import BusError, Record

CONNECT, FORCE = 10.0, 0.3
"""Seconds to reach a broker, and to be let go of by force."""

_SOON = 1.0

Polled = dict[TopicPartition, list[Any]]


def records(found: Polled) -> list[Record]:
    """What a poll brought, as the core knows it."""
    return [
        Record(*place, one.offset, one.key, one.value, tuple(one.headers), one.timestamp)
        for place, polled in found.items()
        for one in polled
    ]


def expect(holds: bool, otherwise: str) -> None:  # noqa: FBT001  the one thing it is about
    """Raise `BusError` otherwise."""
    if not holds:
        raise BusError(otherwise)


@asynccontextmanager
async def within(seconds: float | None, what: str) -> AsyncIterator[None]:
    """Whatever goes wrong is a `BusError`: aiokafka lets more out than its own errors."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except BusError:
        raise
    except Exception as error:
        raise BusError(f"{what}: {type(error).__name__}") from error


def has_metadata(client: AIOKafkaConsumer) -> bool:
    """Whether the task lives that learns where partitions have moved; nobody would miss it."""
    task = client._client._sync_task
    return task is None or not task.done()


def forget() -> None:
    """What a client leaves is freed soon: 75 KB that refer to themselves (decision 42).

    By itself the collector looks seldom (`interpreter`). Not at once: its user still holds it.
    """
    asyncio.get_running_loop().call_later(_SOON, gc.collect, 0)


async def stop(client: AIOKafkaProducer | AIOKafkaConsumer, seconds: float) -> None:
    """Let a client go: politely for so long, then part by part."""
    await end(client.stop, seconds, lambda: _parts(client))


def _parts(client: AIOKafkaProducer | AIOKafkaConsumer) -> list[Callable[[], Any]]:
    """What a stop that was cut short leaves running; some take two attempts."""
    if isinstance(client, AIOKafkaProducer):
        client._closed = True
        return [client._sender.close, client._sender.close, client.client.close]
    parts = [client._fetcher.close] if client._fetcher else []
    group = client._coordinator
    if isinstance(group, GroupCoordinator):
        parts += [group._stop_heartbeat_task, group._stop_commit_offsets_refresh_task]
    elif group is not None and group._reset_committed_task is not None:  # a reader has no group
        parts.append(group.close)
    return [*parts, client.stop, client._client.close]
