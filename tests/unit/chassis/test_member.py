"""Where a member of a group begins to read, and what it does not wait for."""

import asyncio
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.chassis.kafka.clients import within
from shared.chassis.kafka.consumer import KafkaConsumer
from shared.chassis.ports import BusError, Place

LED, AHEAD, NEW, LEADERLESS = (TopicPartition("shelf", number) for number in range(4))


class Client:
    """A client whose broker has no leader for one partition: it never gets a position."""

    def __init__(self) -> None:
        self.noted = {LED: 9, AHEAD: 3, LEADERLESS: 9}
        self.sought: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()
        self.listener: Any = None
        self._client = SimpleNamespace(_sync_task=None)

    def subscribe(self, topics: Sequence[str], listener: Any) -> None:
        self.listener = listener

    def pause(self, *places: TopicPartition) -> None:
        self.paused |= {*places}

    def resume(self, *places: TopicPartition) -> None:
        self.paused -= {*places}

    async def committed(self, place: TopicPartition) -> int | None:
        return self.noted.get(place)

    async def position(self, place: TopicPartition) -> int:
        if place == LEADERLESS:
            await asyncio.Event().wait()
        return self.noted.get(place, 0)

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.sought[place] = offset

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        return {}


async def stored(places: Sequence[Place]) -> Mapping[Place, int]:
    return dict.fromkeys(places, 5)


async def test_a_partition_without_a_leader_keeps_no_other_waiting() -> None:
    client = Client()
    member = KafkaConsumer(cast(AIOKafkaConsumer, client), ["shelf"], stored)
    async with asyncio.timeout(5):
        await client.listener.on_partitions_assigned({LED, AHEAD, NEW, LEADERLESS})
    assert client.paused == set()
    assert client.sought == {LED: 5, LEADERLESS: 5}  # the lower of the stored and the noted
    assert await member.poll() == []


async def test_a_member_whose_metadata_nobody_looks_after_is_to_be_replaced() -> None:
    client = Client()
    member = KafkaConsumer(cast(AIOKafkaConsumer, client), ["shelf"], stored)
    assert await member.poll() == []
    client._client._sync_task = asyncio.create_task(asyncio.sleep(0))
    await client._client._sync_task
    with pytest.raises(BusError, match="metadata"):
        await member.poll()


async def test_whatever_a_client_of_kafka_raises_is_an_error_of_the_bus() -> None:
    # What its admin client raises while no broker is the controller.
    with pytest.raises(BusError, match="ensure: AttributeError"):
        async with within(1.0, "ensure"):
            raise AttributeError("'NoneType' object has no attribute 'nodeId'")
