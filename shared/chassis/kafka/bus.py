"""One Kafka cluster: its topics, its ends, and reading beside the groups."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupCoordinatorNotAvailableError

from shared.chassis.kafka.clients import (
    CONNECT,
    FORCE,
    Polled,
    expect,
    forget,
    records,
    stop,
    within,
)
from shared.chassis.kafka.consumer import KafkaConsumer
from shared.chassis.kafka.names import bear_any
from shared.chassis.kafka.producer import KafkaProducer
from shared.chassis.kafka.resets import tell_resets
from shared.chassis.patience import Aside, at_most
from shared.chassis.ports import Consumer, Offsets, Place, Producer, Record

MOST_RECORDS = 500
FETCHED = 128 * 1024
"""Bytes read ahead of each partition: with more a backlog costs memory, and nothing is faster."""

READ = 60.0
"""Seconds for one question, and in which a scan must get on."""

SESSION = 10.0
"""Seconds of silence until a member is put out; by mistake it does no harm (decision 13)."""

_A_DAY = {"retention.ms": "86400000"}
_THERE = {0, 36}  # created, or it was there

_Places = list[TopicPartition]


class KafkaBus:
    """One Kafka cluster. `session` is how long a member may be silent before it is put out."""

    def __init__(self, bootstrap: str, replication: int = 1, session: float = SESSION) -> None:
        self._bootstrap, self._replication, self._session = bootstrap, replication, session
        self._aside = Aside()
        bear_any()
        tell_resets()
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what matters is raised

    async def producer(self) -> Producer:
        """A producer; it connects at its first send."""
        return KafkaProducer(self._bootstrap)

    async def consumer(self, group: str, topics: Sequence[str], offsets: Offsets) -> Consumer:
        """A member of the group, which settles while it polls."""
        client = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(self._session * 1000),
            heartbeat_interval_ms=int(self._session * 100),
            rebalance_timeout_ms=60_000,
            request_timeout_ms=15_000,  # a connection that hangs half-open is given up then
            metadata_max_age_ms=10_000,  # so long a topic made anew may go unread
            max_poll_records=MOST_RECORDS,
            max_partition_fetch_bytes=FETCHED,
        )
        try:
            async with within(CONNECT, "consumer"):
                await client.start()
                expect(set(topics) <= await client.topics(), "consumer: a topic is missing")
        except BaseException:
            self._aside.start(stop(client, FORCE))
            raise
        return KafkaConsumer(client, topics, offsets)

    async def ensure(self, topics: Mapping[str, int], passing: Collection[str] = ()) -> None:
        """Create what is missing; nothing is dropped for its age or size but what passes."""
        sync = {"min.insync.replicas": str(max(1, self._replication - 1))}  # one may be away
        keep = {"retention.ms": "-1", "retention.bytes": "-1"}
        wanted = [
            NewTopic(
                name,
                partitions,
                self._replication,
                topic_configs=sync | (_A_DAY if name in passing else keep),
            )
            for name, partitions in topics.items()
        ]
        async with self._admin("ensure") as admin:
            there = set(await admin.list_topics())
            if not (missing := [one for one in wanted if one.name not in there]):
                return
            created = await admin.create_topics(missing)
            codes = {one["error_code"] for one in created.to_object()["topic_errors"]}
            expect(codes <= _THERE, f"ensure: {codes}")
            while not topics.keys() <= set(await admin.list_topics()):  # noqa: ASYNC110  a broker
                await asyncio.sleep(0.05)  # hears of it a moment later than the controller

    async def ping(self) -> None:
        """A broker answers."""
        async with self._admin("ping"):
            pass

    async def ends(self, topic: str) -> dict[Place, int]:
        """The offset that the next record of each partition will have."""
        async with self._reader(topic) as (client, places), within(READ, "ends"):
            return _plain(await client.end_offsets(places))

    async def progress(self, group: str, topic: str) -> dict[Place, tuple[int, int]]:
        """By partition the offset that the group noted, and the end."""
        async with self._admin("progress") as admin:
            found = await _noted(admin, group)
        noted = {(one.topic, one.partition): max(place.offset, 0) for one, place in found.items()}
        return {
            place: (noted.get(place, 0), end) for place, end in (await self.ends(topic)).items()
        }

    async def scan(
        self,
        topic: str,
        starts: Mapping[Place, int] | None = None,
        ends: Mapping[Place, int] | None = None,
    ) -> AsyncGenerator[list[Record], None]:
        """Read a topic once without a group, from these offsets to its end now, or before `ends`.

        However long that takes; `BusError` once it does not get on.
        """
        async with self._reader(topic) as (client, places):
            async with within(READ, "scan"):
                left = await client.end_offsets(places)
                for place, end in left.items():
                    plain = place.topic, place.partition
                    left[place] = end if ends is None else min(end, ends.get(plain, 0))
                    start = max((starts or {}).get(plain, 0), 0)
                    # Nothing is fetched of a partition that nobody asks for.
                    client.seek(place, start if start < left[place] else end)
            got_on = time.monotonic()
            # No deadline stands over the `yield`: it would strike whoever reads.
            while left:
                async with within(READ, "scan"):
                    left = {
                        one: end for one, end in left.items() if await client.position(one) < end
                    }
                    found = await client.getmany(*left, timeout_ms=200) if left else {}
                expect(bool(found) or time.monotonic() < got_on + READ, "scan: nothing comes")
                yield _before(found, left)
                got_on = time.monotonic() if found else got_on

    async def close(self) -> None:
        """Nothing is held open; what is being stopped gets a moment more."""
        await self._aside.settle(1.0)

    @asynccontextmanager
    async def _admin(self, what: str) -> AsyncIterator[AIOKafkaAdminClient]:
        """A client for one question: an old one would have to learn that a broker came back."""
        client = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, request_timeout_ms=3000)
        try:
            async with within(CONNECT, what):
                await client.start()
                yield client
        finally:
            await at_most(FORCE, client.close())
            forget()

    @asynccontextmanager
    async def _reader(self, topic: str) -> AsyncIterator[tuple[AIOKafkaConsumer, _Places]]:
        """A client that reads by itself, in no group."""
        client = AIOKafkaConsumer(
            topic,
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=5000,
        )
        try:
            async with within(READ, "read"):
                await client.start()
                expect(bool(client.assignment()), f"no topic {topic}")
            yield client, sorted(client.assignment())
        finally:
            await stop(client, 1.0)
            forget()


def _before(found: Polled, ends: Mapping[TopicPartition, int]) -> list[Record]:
    """Those of these records that stand before the ends."""
    return records(
        {one: [each for each in some if each.offset < ends[one]] for one, some in found.items()}
    )


def _plain(offsets: Mapping[TopicPartition, int]) -> dict[Place, int]:
    return {(one.topic, one.partition): offset for one, offset in offsets.items()}


async def _noted(admin: AIOKafkaAdminClient, group: str) -> Mapping[TopicPartition, Any]:
    """The offsets of a group; the first question to a cluster makes it find who keeps them."""
    while True:
        with suppress(GroupCoordinatorNotAvailableError):
            return await admin.list_consumer_group_offsets(group)
        await asyncio.sleep(0.1)
