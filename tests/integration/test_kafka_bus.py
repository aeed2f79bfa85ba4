"""The bus on a real Kafka, and what only a real one can be asked."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from deploy.local.servers import Servers
from shared.chassis.kafka import KafkaBus, KafkaConsumer
from shared.chassis.kafka.clients import stop
from shared.chassis.marks import NOTHING, mark
from shared.chassis.ports import Bus, BusError, Outgoing, Place, Record
from tests.integration.bus_suite import BusSuite, Outage, member, read, scanned, sending, stored


@pytest.fixture
async def bus(servers: Servers) -> AsyncIterator[KafkaBus]:
    bus = KafkaBus(servers.kafka, session=6.0)
    yield bus
    await bus.close()


@pytest.fixture
def topic() -> str:
    return f"topic.{uuid4().hex[:12]}"


class TestKafkaBus(BusSuite):
    @pytest.fixture
    def outage(self, servers: Servers) -> Outage:
        @asynccontextmanager
        async def outage() -> AsyncIterator[None]:
            await asyncio.to_thread(servers.stop_kafka)
            try:
                yield
            finally:
                await asyncio.to_thread(servers.start_kafka)

        return outage


async def test_nothing_of_a_topic_expires(bus: Bus, servers: Servers, topic: str) -> None:
    await bus.ensure({topic: 1})
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
    await admin.start()
    try:
        asked = ConfigResource(ConfigResourceType.TOPIC, topic)
        (answer,) = await admin.describe_configs([asked])
    finally:
        await admin.close()
    rows = answer.to_object()["resources"][0]["config_entries"]
    # As settings of the topic itself: those of a broker may be anything.
    own = [row for row in rows if row["config_source"] == 1]
    settings = {row["config_names"]: row["config_value"] for row in own}
    assert (settings["retention.ms"], settings["retention.bytes"]) == ("-1", "-1")


async def test_the_same_record_in_a_topic_that_was_made_anew_has_another_mark(
    bus: Bus, servers: Servers, topic: str
) -> None:
    place = (topic, 0)

    async def filled() -> None:
        await bus.ensure({topic: 1})
        async with sending(bus) as producer:
            for number in range(3):
                await producer.send([Outgoing(topic, b"key", b"%d" % number)], 10.0)

    await filled()
    marks = [await marks_of(bus, place) for _ in "12"]
    assert marks[0] == marks[1]
    assert len(set(marks[0])) == 4
    assert marks[0][3] == NOTHING
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
    await admin.start()
    try:
        await admin.delete_topics([topic])
        while topic in await admin.list_topics():  # noqa: ASYNC110  nobody says when
            await asyncio.sleep(0.05)
    finally:
        await admin.close()
    await filled()
    assert not set(marks[0][:3]) & set(await marks_of(bus, place))


async def test_topics_that_are_there_are_asked_for_once(
    bus: Bus, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large cluster has many, and this is done twice a minute."""
    asked, list_topics = list[str](), AIOKafkaAdminClient.list_topics

    async def counted(admin: AIOKafkaAdminClient) -> list[str]:
        asked.append(topic)
        return await list_topics(admin)

    await bus.ensure({topic: 1})
    monkeypatch.setattr(AIOKafkaAdminClient, "list_topics", counted)
    await bus.ensure({topic: 1})
    assert len(asked) == 1


async def marks_of(bus: Bus, place: Place) -> list[str]:
    """Of the three records, and of an offset that is not reached."""
    return [await mark(bus, place, offset) for offset in (1, 2, 3, 4)]


class Latin(str):
    """A name that goes out as it would from a client that knows nothing of UTF-8."""

    __slots__ = ()

    def encode(self, encoding: str = "", errors: str = "") -> bytes:
        return super().encode("latin-1")


@pytest.mark.parametrize("codec", [0, 4], ids=["plain", "zstd"])
async def test_a_name_of_a_header_that_is_no_text_stops_no_reader_and_costs_no_record(
    bus: Bus, servers: Servers, topic: str, codec: int
) -> None:
    await bus.ensure({topic: 1})
    producer = AIOKafkaProducer(bootstrap_servers=servers.kafka)
    await producer.start()
    try:
        batch = producer.create_batch()
        batch._builder = _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, -1, 1 << 20)
        for key, name in ((b"a", "x"), (b"b", Latin("é")), (b"c", "x")):
            batch.append(timestamp=None, key=key, value=b"1", headers=[(name, b"1")])
        await (await producer.send_batch(batch, topic, partition=0))
        await producer.send_and_wait(topic, b"1", b"d")
    finally:
        await producer.stop()
    for records in (await scanned(bus, topic), await _read_by_a_member(bus, topic)):
        assert [one.key for one in records] == [b"a", b"b", b"c", b"d"]
        assert records[1].headers == (("\ufffd", b"1"),)
    assert [one.key for one in await scanned(bus, topic, {(topic, 0): 2})] == [b"c", b"d"]


async def _read_by_a_member(bus: Bus, topic: str) -> list[Record]:
    async with member(bus, topic) as consumer:
        return await read(consumer, 4)


async def test_a_topic_that_cannot_be_made_is_an_error(servers: Servers, topic: str) -> None:
    bus = KafkaBus(servers.kafka, replication=3)
    with pytest.raises(BusError):
        await bus.ensure({topic: 1})
    await bus.close()


NOISE = os.urandom(200 * 1024)
"""Twenty of it are several pages; of nought they would be one, compressed."""


async def test_a_scan_may_take_longer_than_any_question(
    bus: Bus, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bus.ensure({topic: 1})
    async with sending(bus) as producer:
        await producer.send([Outgoing(topic, b"a", NOISE)] * 20, 30)
    monkeypatch.setattr("shared.chassis.kafka.bus.READ", 2.0)
    began, count = time.monotonic(), 0
    async for some in bus.scan(topic):
        count += len(some)
        await asyncio.sleep(0.8)  # whoever reads has to do with it
    assert count == 20
    assert time.monotonic() - began > 2.0


async def test_a_scan_that_does_not_get_on_is_an_error(
    bus: Bus, topic: str, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bus.ensure({topic: 1})
    async with sending(bus) as producer:
        await producer.send([Outgoing(topic, b"a", NOISE)] * 20, 30)
    monkeypatch.setattr("shared.chassis.kafka.bus.READ", 3.0)
    scan = bus.scan(topic)
    assert await anext(scan)
    try:
        await asyncio.to_thread(servers.stop_kafka)
        with pytest.raises(BusError):
            async for _ in scan:
                pass
    finally:
        await asyncio.to_thread(servers.start_kafka)


async def test_the_largest_event_fits(bus: Bus, topic: str) -> None:
    await bus.ensure({topic: 1})
    async with sending(bus) as producer, member(bus, topic) as consumer:
        await producer.send([Outgoing(topic, b"a", bytes(300 * 1024))], 10)
        (found,) = await read(consumer, 1)
    assert len(found.value or b"") == 300 * 1024


async def test_what_fills_many_batches_of_a_partition_is_acknowledged_in_its_order(
    bus: Bus, topic: str
) -> None:
    await bus.ensure({topic: 1})
    sent = [Outgoing(topic, b"a", bytes([number]) * 50 * 1024) for number in range(40)]
    async with sending(bus) as producer, member(bus, topic) as consumer:
        assert await producer.send(sent, 10) == {(topic, 0): range(40)}
        found = await read(consumer, 40)
    assert [one.value for one in found] == [one.value for one in sent]


async def test_a_key_has_the_partition_that_other_clients_give_it(
    bus: Bus, servers: Servers, topic: str
) -> None:
    await bus.ensure({topic: 8})
    keys = [f"woman-{number}".encode() for number in range(50)]
    async with AIOKafkaProducer(bootstrap_servers=servers.kafka) as other:
        theirs = [(await other.send_and_wait(topic, b"theirs", key)).partition for key in keys]
    async with sending(bus) as producer, member(bus, topic) as consumer:
        await producer.send([Outgoing(topic, key, b"ours") for key in keys], 10)
        found = await read(consumer, 100)
    ours = {one.key: one.partition for one in found if one.value == b"ours"}
    assert [ours[key] for key in keys] == theirs


async def test_a_member_that_died_holds_up_nobody_for_longer_than_its_session(
    bus: KafkaBus, topic: str
) -> None:
    await bus.ensure({topic: 2})
    async with sending(bus) as producer:
        await producer.send([Outgoing(topic, b"a", b"1"), Outgoing(topic, b"b", b"2")], 10)
    dead = await bus.consumer(f"{topic}.readers", [topic], stored())
    assert isinstance(dead, KafkaConsumer)
    await read(dead, 2)
    group = dead._client._coordinator
    assert group is not None
    await group._stop_heartbeat_task()  # as if its process were gone
    async with member(bus, topic) as consumer:
        assert len(await read(consumer, 2)) == 2
        assert consumer.assigned() == {(topic, 0), (topic, 1)}
    await dead.close(2.0)


async def test_a_reader_without_a_group_can_be_let_go_of_by_force(
    servers: Servers, bus: Bus, topic: str
) -> None:
    await bus.ensure({topic: 1})
    reader = AIOKafkaConsumer(topic, bootstrap_servers=servers.kafka)
    await reader.start()
    before = asyncio.all_tasks()
    await stop(reader, 0.0)
    assert len(asyncio.all_tasks()) < len(before)
