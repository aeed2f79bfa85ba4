"""Where a member of a group begins to read, and what it does not wait for."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.chassis.kafka.consumer import KafkaConsumer
from shared.chassis.ports import Place

LED, AHEAD, NEW, LEADERLESS = (TopicPartition("shelf", number) for number in range(4))


class Client:
    """A client whose broker has no leader for one partition: it never gets a position."""

    def __init__(self) -> None:
        self.noted = {LED: 9, AHEAD: 3, LEADERLESS: 9}
        self.sought: dict[TopicPartition, int] = {}
        self.paused: set[TopicPartition] = set()
        self.listener: Any = None

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
