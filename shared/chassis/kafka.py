"""Apache Kafka as the bus; nothing else imports aiokafka, whose traps are answered here.

After a terminal error its numbering of batches is off (aiokafka#1017): the client is discarded. A
send or stop may wait for ever for a broker that is gone (#1101): everything has a deadline. A
cancelled poll leaks, and a poll blocks while its group settles: it is left to run.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import ConsumerStoppedError, IllegalStateError, KafkaError

from shared.chassis.patience import Aside, Watch, at_most, end
from shared.chassis.ports import BusError, Consumer, Offsets, Outgoing, Place, Producer, Record

MOST_RECORDS = 500
CONNECT, ANSWER, READ, FORCE = 10.0, 3.0, 60.0, 0.3  # seconds: the deadlines
QUIET, SETTLING = 10.0, 120.0  # seconds of silence until a look, and of a group without an end

_THERE = {0, 36}  # created, or it was there
_FAILURES = (TimeoutError, OSError, KafkaError, ConsumerStoppedError, IllegalStateError)


_Places = list[TopicPartition]
_Polled = dict[TopicPartition, list[Any]]


class KafkaBus:
    """One Kafka cluster. `session` is how long a member may be silent before it is put out."""

    def __init__(self, bootstrap: str, replication: int = 1, session: float = 30.0) -> None:
        self._bootstrap, self._replication, self._session = bootstrap, replication, session
        self._aside = Aside()
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
            metadata_max_age_ms=60_000,
            max_poll_records=MOST_RECORDS,
        )
        try:
            async with _deadline(CONNECT, "consumer"):
                await client.start()
                _expect(set(topics) <= await client.topics(), "consumer: a topic is missing")
        except BaseException:
            self._aside.start(_stop(client, FORCE))
            raise
        return KafkaConsumer(client, topics, offsets)

    async def ensure(self, topics: Mapping[str, int]) -> None:
        """Create what is missing; nothing is dropped for its age or size."""
        keep = {"retention.ms": "-1", "retention.bytes": "-1"}
        wanted = [
            NewTopic(name, partitions, self._replication, topic_configs=keep)
            for name, partitions in topics.items()
        ]
        async with self._admin("ensure") as admin:
            there = set(await admin.list_topics())
            created = await admin.create_topics([one for one in wanted if one.name not in there])
            codes = {one["error_code"] for one in created.to_object()["topic_errors"]}
            _expect(codes <= _THERE, f"ensure: {codes}")
            while not topics.keys() <= set(await admin.list_topics()):  # noqa: ASYNC110  a broker
                await asyncio.sleep(0.05)  # hears of it a moment later than the controller

    async def ping(self) -> None:
        """A broker answers."""
        async with self._admin("ping"):
            pass

    async def distinct(self, topic: str) -> int:
        """Read the whole topic once, without a group."""
        seen = set[tuple[bytes | None, bytes | None]]()
        async with self._reader(topic) as (client, places):
            left = await client.end_offsets(places)
            while left := {
                one: end for one, end in left.items() if await client.position(one) < end
            }:
                for records in (await client.getmany(timeout_ms=200)).values():
                    seen |= {(one.key, dict(one.headers).get("ce_sequence")) for one in records}
        return len(seen)

    async def close(self) -> None:
        """Nothing is held open; what is being stopped gets a moment more."""
        await self._aside.settle(1.0)

    @asynccontextmanager
    async def _admin(self, what: str) -> AsyncIterator[AIOKafkaAdminClient]:
        """A client for one question: an old one would have to learn that a broker came back."""
        client = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, request_timeout_ms=3000)
        try:
            async with _deadline(CONNECT, what):
                await client.start()
                yield client
        finally:
            await at_most(FORCE, client.close())

    @asynccontextmanager
    async def _reader(self, topic: str) -> AsyncIterator[tuple[AIOKafkaConsumer, _Places]]:
        client = AIOKafkaConsumer(
            topic,
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            request_timeout_ms=5000,
        )
        try:
            async with _deadline(READ, "read"):
                await client.start()
                yield client, sorted(client.assignment())
        finally:
            await _stop(client, 1.0)


class KafkaProducer:
    """Sends in order, and replaces its client after any failure."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._client: AIOKafkaProducer | None = None
        self._aside = Aside()

    async def send(self, records: Sequence[Outgoing], deadline: float) -> None:
        """All acknowledged, or `BusError` and a new client next time."""
        try:
            async with _deadline(deadline, "send"):
                await self._send(records)
        except BaseException:
            self._discard(0.0)  # what it still holds must not be sent later
            raise

    async def _send(self, records: Sequence[Outgoing]) -> None:
        client = await self._connected()
        answers: list[asyncio.Future[Any]] = []
        for one in records:  # one after another: gathered they are slower and out of order
            headers = list(one.headers)
            answers.append(await client.send(one.topic, one.value, one.key, headers=headers))
        await asyncio.gather(*answers)  # looks at all of them, whichever fails

    async def _connected(self) -> AIOKafkaProducer:
        if self._client is None:
            self._client = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                acks="all",
                enable_idempotence=True,
                compression_type="zstd",
                linger_ms=5,
                max_batch_size=256 * 1024,
                request_timeout_ms=10_000,
            )
            await self._client.start()
        return self._client

    def _discard(self, seconds: float) -> None:
        client, self._client = self._client, None
        if client is not None:
            self._aside.start(_stop(client, seconds))

    async def close(self, deadline: float) -> None:
        """Send what is under way, and let go."""
        self._discard(deadline / 2)
        await self._aside.settle(deadline)


class KafkaConsumer:
    """A member of a group. It outlives a broker that is away, and says when it is broken."""

    def __init__(self, client: AIOKafkaConsumer, topics: Sequence[str], offsets: Offsets) -> None:
        self._client, self._start = client, _Start(client, offsets)
        self._polling: asyncio.Task[_Polled] | None = None
        self._next: dict[TopicPartition, int] = {}
        self._watch = Watch(QUIET, SETTLING)
        client.subscribe(topics=list(topics), listener=self._start)

    async def poll(self) -> list[Record]:
        """Up to 500 records; `BusError` when this member must be replaced."""
        _expect(self._start.failure is None, f"offsets: {type(self._start.failure).__name__}")
        if self._polling is None:
            self._polling = asyncio.create_task(self._client.getmany(timeout_ms=200))
        await asyncio.wait({self._polling}, timeout=1.0)
        if not self._polling.done():
            _expect(not self._watch.never_settles, "poll: the group does not settle")
            return []
        async with _deadline(None, "poll"):
            polled, self._polling = self._polling, None
            found = polled.result()
        self._next |= {place: records[-1].offset + 1 for place, records in found.items()}
        if found or (self._watch.is_quiet and not await self._behind()):
            self._watch.works()
        elif self._watch.is_quiet:
            _expect(not self._watch.records_wait(), "poll: records wait, and none come")
        return [
            Record(*place, one.offset, one.key, one.value, tuple(one.headers), one.timestamp)
            for place, records in found.items()
            for one in records
        ]

    async def _behind(self) -> bool:
        """Whether the broker has records that do not come; not if it does not answer at all."""
        mine = self._client.assignment()
        with suppress(*_FAILURES):
            async with asyncio.timeout(ANSWER):
                ends = await self._client.end_offsets(list(mine))
                return any([await self._client.position(one) < ends[one] for one in mine])
        return False

    async def commit(self, offsets: Mapping[Place, int], deadline: float) -> None:
        """Note the next offsets; of partitions that went to somebody else it is an error."""
        noted = {TopicPartition(*place): offset for place, offset in offsets.items()}
        async with _deadline(deadline, "commit"):
            await self._client.commit(noted)

    def assigned(self) -> frozenset[Place]:
        """The partitions that this member has now."""
        return frozenset((one.topic, one.partition) for one in self._client.assignment())

    def lag(self) -> dict[Place, int]:
        """Records not yet polled, by partition, of those that were polled."""
        lag: dict[Place, int] = {}
        for one in self._client.assignment() & self._next.keys():
            if (end := self._client.highwater(one)) is not None:
                lag[one.topic, one.partition] = max(0, end - self._next[one])
        return lag

    async def close(self, deadline: float) -> None:
        """Leave the group."""
        await at_most(deadline, _stop(self._client, deadline / 2))
        if self._polling is not None:
            self._polling.cancel()  # its client is gone, so nothing can leak
            await asyncio.wait({self._polling}, timeout=FORCE)


class _Start(ConsumerRebalanceListener):
    """Where partitions begin that were just assigned."""

    def __init__(self, client: AIOKafkaConsumer, offsets: Offsets) -> None:
        self._client, self._offsets = client, offsets
        self.failure: Exception | None = None

    async def on_partitions_revoked(self, revoked: object) -> None:  # pyrefly: ignore[bad-override]
        """Nothing is lost: what was applied stands in `streams`."""

    async def on_partitions_assigned(  # pyrefly: ignore[bad-override]  aiokafka takes both kinds
        self, assigned: set[TopicPartition]
    ) -> None:
        """Go back to the stored offset if it is lower. A failure here would only be logged."""
        try:
            async with asyncio.timeout(CONNECT):
                places = {(one.topic, one.partition): one for one in assigned}
                for place, offset in (await self._offsets(list(places))).items():
                    if offset < await self._client.position(places[place]):
                        self._client.seek(places[place], offset)
        except Exception as failure:
            self.failure = failure


def _expect(holds: bool, otherwise: str) -> None:  # noqa: FBT001  the one thing it is about
    if not holds:
        raise BusError(otherwise)


@asynccontextmanager
async def _deadline(seconds: float | None, what: str) -> AsyncIterator[None]:
    """Whatever goes wrong is a `BusError`."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except _FAILURES as error:
        raise BusError(f"{what}: {type(error).__name__}") from error


async def _stop(client: AIOKafkaProducer | AIOKafkaConsumer, seconds: float) -> None:
    await end(client.stop, seconds, lambda: _parts(client))


def _parts(client: AIOKafkaProducer | AIOKafkaConsumer) -> list[Callable[[], Any]]:
    """What a stop that was cut short leaves running; some take two attempts."""
    if isinstance(client, AIOKafkaProducer):
        client._closed = True
        return [client._sender.close, client._sender.close, client.client.close]
    parts = [client._fetcher.close] if client._fetcher else []
    if group := client._coordinator:
        parts += [group._stop_heartbeat_task, group._stop_commit_offsets_refresh_task]
    return [*parts, client.stop, client._client.close]
