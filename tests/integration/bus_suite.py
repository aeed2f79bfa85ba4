"""What the core expects of a bus; run on memory and on a real Kafka."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager

import pytest

from shared.chassis.ports import Bus, BusError, Consumer, Offsets, Outgoing, Place, Producer, Record
from tests.support.wait import until

PATIENCE = 20.0
Outage = Callable[[], AbstractAsyncContextManager[object]]


def stored(offsets: Mapping[Place, int] | None = None) -> Offsets:
    """What the service's own store says."""

    async def find(places: Sequence[Place]) -> Mapping[Place, int]:
        return {place: at for place, at in (offsets or {}).items() if place in places}

    return find


def slowly(offsets: Offsets) -> Offsets:
    """The same from a store that takes its time: until then nothing may be read."""

    async def find(places: Sequence[Place]) -> Mapping[Place, int]:
        await asyncio.sleep(0.5)
        return await offsets(places)

    return find


def note(topic: str, key: str, number: int) -> Outgoing:
    return Outgoing(topic, key.encode(), f"{number}".encode(), (("ce_sequence", b"%d" % number),))


def notes(topic: str, count: int, keys: str = "abcdefg") -> list[Outgoing]:
    return [note(topic, keys[number % len(keys)], number) for number in range(count)]


@asynccontextmanager
async def member(
    bus: Bus, topic: str, group: str = "readers", offsets: Offsets | None = None
) -> AsyncIterator[Consumer]:
    consumer = await bus.consumer(f"{topic}.{group}", [topic], offsets or stored())
    try:
        yield consumer
    finally:
        await consumer.close(3.0)


@asynccontextmanager
async def sending(bus: Bus) -> AsyncIterator[Producer]:
    producer = await bus.producer()
    try:
        yield producer
    finally:
        await producer.close(3.0)


async def read(consumer: Consumer, count: int) -> list[Record]:
    """So many records; more only if they came together with the last."""
    found: list[Record] = []

    async def poll() -> int:
        found.extend(await consumer.poll())
        return len(found)

    await until(poll, lambda seen: seen >= count, within=PATIENCE)
    return found


async def scanned(
    bus: Bus,
    topic: str,
    starts: Mapping[Place, int] | None = None,
    ends: Mapping[Place, int] | None = None,
) -> list[Record]:
    return [one async for records in bus.scan(topic, starts, ends) for one in records]


async def shared_out(everything: set[Place], *members: Consumer) -> None:
    """Return when the members have all of it between them, each its own part, none nothing."""

    async def look() -> bool:
        await asyncio.gather(*(one.poll() for one in members))
        parts = [one.assigned() for one in members]
        return all(parts) and sorted(place for part in parts for place in part) == sorted(
            everything
        )

    await until(look, within=PATIENCE)


class BusSuite:
    """Inherited by a test module that offers `bus`, `topic` (missing) and `outage`."""

    async def test_a_record_arrives_whole(self, bus: Bus, topic: str) -> None:
        await bus.ensure({topic: 3})
        sent = Outgoing(topic, b"ana", b"\x00\xff", (("a", b"1"), ("b", b""), ("a", b"2")))
        async with sending(bus) as producer, member(bus, topic) as consumer:
            await producer.send([sent], 10)
            (found,) = await read(consumer, 1)
        assert (found.topic, found.key, found.value) == (topic, sent.key, sent.value)
        assert (found.headers, found.offset) == (sent.headers, 0)

    async def test_what_has_one_key_keeps_its_order_and_its_partition(
        self, bus: Bus, topic: str
    ) -> None:
        await bus.ensure({topic: 3})
        async with sending(bus) as producer, member(bus, topic) as consumer:
            await producer.send(notes(topic, 350), 10)
            await producer.send(notes(topic, 700)[350:], 10)
            found = await read(consumer, 700)
        places: dict[bytes | None, set[int]] = {}
        numbers: dict[bytes | None, list[int]] = {}
        for record in found:
            places.setdefault(record.key, set()).add(record.partition)
            numbers.setdefault(record.key, []).append(int(record.value or b""))
        assert len(found) == 700
        assert all(len(one) == 1 for one in places.values())
        assert all(one == sorted(one) for one in numbers.values())
        assert len(set.union(*places.values())) > 1

    async def test_what_is_acknowledged_is_there_and_where_it_was_said_to_end(
        self, bus: Bus, topic: str
    ) -> None:
        await bus.ensure({topic: 3})
        async with sending(bus) as producer:
            sent = await producer.send(notes(topic, 100), 10)
            assert await bus.ends(topic) == {place: len(one) for place, one in sent.items()}
            assert len(await scanned(bus, topic)) == sum(map(len, sent.values())) == 100
            assert {one.start for one in sent.values()} == {0}
            ((place, more),) = (await producer.send(notes(topic, 101, "a"), 10)).items()
            assert more == range(sent[place].stop, (await bus.ends(topic))[place])
            assert len(more) == 101

    async def test_a_scan_reads_from_the_starts_to_the_end_in_order(
        self, bus: Bus, topic: str
    ) -> None:
        await bus.ensure({topic: 2})
        assert await scanned(bus, topic) == []
        async with sending(bus) as producer:
            await producer.send(notes(topic, 1200), 10)
        ends = await bus.ends(topic)
        starts = {place: end - 3 for place, end in ends.items()}
        found = await scanned(bus, topic, starts)
        for place, end in ends.items():
            offsets = [one.offset for one in found if (one.topic, one.partition) == place]
            assert offsets == list(range(end - 3, end))
        assert len(await scanned(bus, topic, dict.fromkeys(ends, -5))) == 1200
        upto = {place: end - 5 for place, end in ends.items()}
        found = await scanned(bus, topic, {one: end - 1 for one, end in upto.items()}, upto)
        assert {(one.topic, one.partition): one.offset + 1 for one in found} == upto
        assert len(found) == 2
        (one, _) = upto
        found = await scanned(bus, topic, {}, {one: 3})
        assert [((each.topic, each.partition), each.offset) for each in found] == [
            (one, 0),
            (one, 1),
            (one, 2),
        ]

    async def test_a_scan_that_is_left_goes_on_where_it_was(self, bus: Bus, topic: str) -> None:
        await bus.ensure({topic: 2})
        async with sending(bus) as producer:
            await producer.send(notes(topic, 1200), 10)
        first: list[Record] = []
        async with aclosing(bus.scan(topic)) as scan:
            async for first in scan:
                if first:
                    break
        taken = first[:100]
        starts = {(one.topic, one.partition): one.offset + 1 for one in taken}
        rest = await scanned(bus, topic, starts)
        assert len(rest) == 1100
        assert len({(one.partition, one.offset) for one in [*taken, *rest]}) == 1200

    async def test_progress_is_what_the_group_noted_and_the_end(self, bus: Bus, topic: str) -> None:
        await bus.ensure({topic: 1})
        group, place = f"{topic}.readers", (topic, 0)
        assert await bus.progress(group, topic) == {place: (0, 0)}
        async with sending(bus) as producer, member(bus, topic) as consumer:
            await producer.send(notes(topic, 10), 10)
            await read(consumer, 10)
            await consumer.commit({place: 7}, 5)
        assert await bus.progress(group, topic) == {place: (7, 10)}
        assert await bus.progress("nobody", topic) == {place: (0, 10)}

    async def test_a_topic_that_is_not_there_has_no_end(self, bus: Bus, topic: str) -> None:
        with pytest.raises(BusError):
            await bus.ends(topic)

    async def test_a_poll_brings_five_hundred_at_most(self, bus: Bus, topic: str) -> None:
        await bus.ensure({topic: 1})
        async with sending(bus) as producer, member(bus, topic) as consumer:
            await producer.send(notes(topic, 1200), 10)
            sizes = [len(await until(consumer.poll))]
            assert consumer.lag() == {(topic, 0): 1200 - sizes[0]}
            while sum(sizes) < 1200:
                sizes.append(len(await until(consumer.poll)))
            assert consumer.lag() == {(topic, 0): 0}
        assert max(sizes) <= 500

    async def test_what_was_not_committed_comes_again(self, bus: Bus, topic: str) -> None:
        await bus.ensure({topic: 1})
        async with sending(bus) as producer:
            await producer.send(notes(topic, 10), 10)
        async with member(bus, topic) as consumer:
            await read(consumer, 10)
        async with member(bus, topic) as consumer:
            assert [record.offset for record in await read(consumer, 10)] == list(range(10))
            await consumer.commit({(topic, 0): 7}, 5)
        async with member(bus, topic) as consumer:
            assert [record.offset for record in await read(consumer, 3)] == [7, 8, 9]

    @pytest.mark.parametrize(
        ("noted", "kept", "expected"),
        [(6, 4, 4), (4, 6, 4), (None, 6, 0), (6, None, 6), (None, None, 0)],
        ids=["the-stored", "the-noted", "nothing-noted", "nothing-stored", "neither"],
    )
    async def test_a_member_starts_at_the_lower_of_the_noted_and_the_stored_offset(
        self, bus: Bus, topic: str, noted: int | None, kept: int | None, expected: int
    ) -> None:
        await bus.ensure({topic: 1})
        place = (topic, 0)
        async with sending(bus) as producer, member(bus, topic) as consumer:
            await producer.send(notes(topic, 10), 10)
            await read(consumer, 10)
            if noted is not None:
                await consumer.commit({place: noted}, 5)
        offsets = slowly(stored({place: kept} if kept is not None else {}))
        async with member(bus, topic, offsets=offsets) as consumer:
            found = await read(consumer, 10 - expected)
        assert [record.offset for record in found] == list(range(expected, 10))

    async def test_a_member_that_cannot_know_its_offsets_is_broken(
        self, bus: Bus, topic: str
    ) -> None:
        async def unknown(places: Sequence[Place]) -> Mapping[Place, int]:
            raise OSError("the store is away")

        await bus.ensure({topic: 1})
        async with member(bus, topic, offsets=unknown) as consumer:
            with pytest.raises(BusError):
                await until(consumer.poll)

    async def test_two_members_share_the_partitions_and_one_takes_over(
        self, bus: Bus, topic: str
    ) -> None:
        await bus.ensure({topic: 4})
        everything = {(topic, number) for number in range(4)}
        async with sending(bus) as producer, member(bus, topic) as first:
            async with member(bus, topic) as second:
                await shared_out(everything, first, second)
                await producer.send(notes(topic, 70), 10)
                got = await self.read_both(first, second, 70)
                assert {int(record.value or b"") for record in got} == set(range(70))
            await shared_out(everything, first)
            await producer.send(notes(topic, 71)[70:], 10)
            assert b"70" in {record.value for record in await read(first, 1)}

    @staticmethod
    async def read_both(first: Consumer, second: Consumer, count: int) -> list[Record]:
        found: list[Record] = []

        async def poll() -> int:
            for records in await asyncio.gather(first.poll(), second.poll()):
                found.extend(records)
            return len({record.value for record in found})

        await until(poll, lambda seen: seen >= count, within=PATIENCE)
        return found

    async def test_every_group_gets_everything(self, bus: Bus, topic: str) -> None:
        await bus.ensure({topic: 2})
        async with AsyncExitStack() as stack:
            producer = await stack.enter_async_context(sending(bus))
            await producer.send(notes(topic, 20), 10)
            for group in ("one", "other"):
                consumer = await stack.enter_async_context(member(bus, topic, group))
                assert len(await read(consumer, 20)) == 20

    async def test_offsets_of_somebody_elses_partition_are_not_noted(
        self, bus: Bus, topic: str
    ) -> None:
        await bus.ensure({topic: 1})
        async with member(bus, topic) as consumer:
            await shared_out({(topic, 0)}, consumer)
            with pytest.raises(BusError):
                await consumer.commit({(topic, 1): 3}, 5)

    async def test_a_missing_topic_is_an_error_and_hurts_nobody_else(
        self, bus: Bus, topic: str
    ) -> None:
        with pytest.raises(BusError):
            await bus.consumer(topic, [topic], stored())
        async with sending(bus) as producer:
            with pytest.raises(BusError):
                await producer.send(notes(topic, 1), 1.0)
            await bus.ensure({topic: 1})
            await producer.send(notes(topic, 1), 10)
        assert len(await scanned(bus, topic)) == 1

    async def test_topics_may_be_ensured_again_and_at_the_same_time(
        self, bus: Bus, topic: str
    ) -> None:
        await asyncio.gather(*(bus.ensure({topic: 2}) for _ in range(3)))
        await bus.ensure({topic: 5})
        async with member(bus, topic) as consumer:
            await shared_out({(topic, 0), (topic, 1)}, consumer)

    async def test_after_an_outage_the_same_producer_and_consumer_go_on(
        self, bus: Bus, topic: str, outage: Outage
    ) -> None:
        await bus.ensure({topic: 1})
        async with sending(bus) as producer, member(bus, topic) as consumer:
            await producer.send(notes(topic, 1), 10)
            await read(consumer, 1)
            async with outage():
                started = time.monotonic()
                with pytest.raises(BusError):
                    await producer.send(notes(topic, 2)[1:], 1.0)
                assert time.monotonic() - started < 2
                with pytest.raises(BusError):
                    await bus.ping()
                assert await consumer.poll() == []
            await bus.ping()

            async def sent() -> bool:
                try:
                    await producer.send(notes(topic, 3)[2:], 5)
                except BusError:
                    return False
                return True

            await until(sent, within=PATIENCE)
            assert b"2" in {record.value for record in await read(consumer, 1)}

    async def test_everything_closes_in_time_without_a_broker(
        self, bus: Bus, topic: str, outage: Outage
    ) -> None:
        before = asyncio.all_tasks()
        await bus.ensure({topic: 1})
        producer = await bus.producer()
        consumer = await bus.consumer(topic, [topic], stored())
        await producer.send(notes(topic, 1), 10)
        await read(consumer, 1)
        async with outage():
            with pytest.raises(BusError):
                await producer.send(notes(topic, 500), 0.5)
            started = time.monotonic()
            await consumer.close(2.0)
            await producer.close(2.0)
            await bus.close()
            assert time.monotonic() - started < 6

        async def left() -> set[asyncio.Task[object]]:
            return asyncio.all_tasks() - before

        await until(left, lambda tasks: not tasks, within=2.0)
