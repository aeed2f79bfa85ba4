"""Apache Kafka behind the bus port. The only module that imports aiokafka.

Its traps are answered here: a producer is thrown away after any terminal error (aiokafka#1017),
every send and stop has a deadline (#1101), a poll is never cancelled, nothing is deserialised by
the client, offsets are not committed by themselves, and a lost offset means `earliest`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager

import structlog
from aiokafka import (
    AIOKafkaConsumer,
    AIOKafkaProducer,
    ConsumerRebalanceListener,
    TopicPartition,
)
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from shared.chassis.ports import BusError, Consumer, Offsets, Outgoing, Place, Producer, Record

MOST_RECORDS = 500
POLL_MS = 200
REQUEST_MS = 10_000

log = structlog.get_logger("telar.kafka")


async def _within(deadline: float, step: Awaitable[object], what: str) -> None:
    """Await with a deadline; whatever goes wrong is a `BusError`."""
    try:
        async with asyncio.timeout(deadline):
            await step
    except (TimeoutError, KafkaError, OSError) as error:
        raise BusError(f"{what}: {type(error).__name__}") from error


class KafkaProducer:
    """Sends in order, and replaces its client after any failure."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._client: AIOKafkaProducer | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def send(self, records: Sequence[Outgoing], deadline: float) -> None:
        """All acknowledged within the deadline, or `BusError` and a new client next time."""
        try:
            await _within(deadline, self._send(records), "send")
        except BusError:
            self._discard()
            raise

    async def _send(self, records: Sequence[Outgoing]) -> None:
        if self._client is None:
            self._client = await self._connect()
        sent = [
            await self._client.send(
                record.topic, record.value, key=record.key, headers=list(record.headers)
            )
            for record in records
        ]
        for acknowledged in sent:
            await acknowledged

    async def _connect(self) -> AIOKafkaProducer:
        client = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            acks="all",
            enable_idempotence=True,
            compression_type="zstd",
            linger_ms=5,
            max_batch_size=256 * 1024,
            request_timeout_ms=REQUEST_MS,
        )
        try:
            await client.start()
        except BaseException:
            self._stop_soon(client)
            raise
        return client

    def _discard(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            self._stop_soon(client)

    def _stop_soon(self, client: AIOKafkaProducer) -> None:
        # Stopping waits for the broker that is gone: let it do so beside us, for a while.
        task = asyncio.create_task(_stop(client, 5.0))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self, deadline: float) -> None:
        """Stop within the deadline."""
        if self._client is not None:
            await _stop(self._client, deadline)
            self._client = None
        for task in list(self._closing):
            task.cancel()


async def _stop(client: AIOKafkaProducer | AIOKafkaConsumer, deadline: float) -> None:
    with contextlib.suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(deadline):
            await client.stop()


class _Seek(ConsumerRebalanceListener):
    """Starts each assigned partition at the lower of the group's and the stored offset."""

    def __init__(self, offsets: Offsets) -> None:
        self.consumer: AIOKafkaConsumer | None = None
        self._offsets = offsets

    async def on_partitions_revoked(self, revoked: object) -> None:  # pyrefly: ignore[bad-override]
        """Nothing to save: what is applied stands in `streams`."""

    async def on_partitions_assigned(  # pyrefly: ignore[bad-override]  aiokafka takes both kinds
        self, assigned: set[TopicPartition]
    ) -> None:
        """Seek back where the store is behind the group (it came from a backup)."""
        if self.consumer is None:
            return
        stored = await self._offsets([(one.topic, one.partition) for one in assigned])
        for one in assigned:
            offset = stored.get((one.topic, one.partition))
            if offset is not None and offset < await self.consumer.position(one):
                self.consumer.seek(one, offset)


class KafkaConsumer:
    """A member of a group."""

    def __init__(self, client: AIOKafkaConsumer) -> None:
        self._client = client
        self._next: dict[Place, int] = {}

    async def poll(self) -> list[Record]:
        """Up to 500 records; raises `BusError` when the client is broken."""
        try:
            found = await self._client.getmany(timeout_ms=POLL_MS, max_records=MOST_RECORDS)
        except KafkaError as error:
            raise BusError(f"poll: {type(error).__name__}") from error
        for place, messages in found.items():
            self._next[place.topic, place.partition] = messages[-1].offset + 1
        return [
            Record(
                topic=place.topic,
                partition=place.partition,
                offset=message.offset,
                key=message.key,
                value=message.value,
                headers=tuple(message.headers),
                timestamp_ms=message.timestamp,
            )
            for place, messages in found.items()
            for message in messages
        ]

    async def commit(self, offsets: Mapping[Place, int], deadline: float) -> None:
        """Note the next offsets of what is still assigned."""
        mine = self.assigned()
        noted = {TopicPartition(*place): at for place, at in offsets.items() if place in mine}
        if noted:
            await _within(deadline, self._client.commit(noted), "commit")

    def assigned(self) -> frozenset[Place]:
        """The partitions of this member."""
        return frozenset((one.topic, one.partition) for one in self._client.assignment())

    def lag(self) -> dict[Place, int]:
        """Records behind the last known end, by partition."""
        ends = {place: self._client.highwater(TopicPartition(*place)) for place in self.assigned()}
        return {
            place: max(0, end - self._next[place])
            for place, end in ends.items()
            if end is not None and place in self._next
        }

    async def close(self, deadline: float) -> None:
        """Leave the group within the deadline."""
        await _stop(self._client, deadline)


class KafkaBus:
    """One Kafka cluster."""

    def __init__(self, bootstrap: str, replication: int = 1) -> None:
        self._bootstrap, self._replication = bootstrap, replication
        self._admin_client: AIOKafkaAdminClient | None = None

    async def producer(self) -> Producer:
        """A producer; it connects at its first send."""
        return KafkaProducer(self._bootstrap)

    async def consumer(self, group: str, topics: Sequence[str], offsets: Offsets) -> Consumer:
        """A group member that starts at the lower of the group's and the stored offset."""
        client = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=30_000,
            heartbeat_interval_ms=3_000,
            rebalance_timeout_ms=60_000,
            request_timeout_ms=40_000,
            max_poll_records=MOST_RECORDS,
        )
        listener = _Seek(offsets)
        client.subscribe(topics=list(topics), listener=listener)
        listener.consumer = client
        try:
            await _within(15.0, client.start(), "consumer")
        except BusError:
            await _stop(client, 2.0)
            raise
        return KafkaConsumer(client)

    async def ensure(self, topics: Mapping[str, int]) -> None:
        """Create what is missing; nothing of a topic is ever dropped by age or size."""
        keep = {"retention.ms": "-1", "retention.bytes": "-1"}
        async with self._admin() as admin:
            existing = set(await admin.list_topics())
            missing = [
                NewTopic(name, partitions, self._replication, topic_configs=keep)
                for name, partitions in topics.items()
                if name not in existing
            ]
            if missing:
                with contextlib.suppress(TopicAlreadyExistsError):
                    await admin.create_topics(missing)

    async def ping(self) -> None:
        """Any broker answers a metadata request."""
        async with self._admin() as admin:
            await admin.list_topics()

    async def distinct(self, topic: str) -> int:
        """Read the whole topic once, without a group."""
        client = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        seen: set[tuple[bytes | None, bytes]] = set()
        try:
            await _within(10.0, client.start(), "read")
            await _within(60.0, _read(client, await self._places(topic), seen), "read")
        finally:
            await _stop(client, 2.0)
        return len(seen)

    async def _places(self, topic: str) -> list[TopicPartition]:
        async with self._admin() as admin:
            found = await admin.describe_topics([topic])
        return [TopicPartition(topic, one["partition"]) for one in found[0]["partitions"]]

    @asynccontextmanager
    async def _admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """The admin client, connected; thrown away when anything fails."""
        try:
            async with asyncio.timeout(10.0):
                if self._admin_client is None:
                    client = AIOKafkaAdminClient(
                        bootstrap_servers=self._bootstrap, request_timeout_ms=REQUEST_MS
                    )
                    await client.start()
                    self._admin_client = client
                yield self._admin_client
        except (TimeoutError, KafkaError, OSError) as error:
            await self.close()
            raise BusError(f"admin: {type(error).__name__}") from error

    async def close(self) -> None:
        """Let go of the admin client."""
        client, self._admin_client = self._admin_client, None
        if client is not None:
            with contextlib.suppress(TimeoutError, KafkaError, OSError):
                async with asyncio.timeout(2.0):
                    await client.close()


async def _read(
    client: AIOKafkaConsumer,
    places: list[TopicPartition],
    seen: set[tuple[bytes | None, bytes]],
) -> None:
    if not places:
        return
    client.assign(places)
    ends = await client.end_offsets(places)
    while any([await client.position(place) < ends[place] for place in places]):
        for messages in (await client.getmany(timeout_ms=POLL_MS)).values():
            for message in messages:
                seen.add((message.key, dict(message.headers).get("ce_sequence", b"")))
