"""What the core promises, tested with two tiny services; run on memory and on real servers."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from shared.chassis import parking, positions, streams
from shared.chassis.envelope import GENESIS, Envelope, encode, timestamp
from shared.chassis.ports import Bus, Outgoing, Store
from tests.support import mini
from tests.support.app import Running, running
from tests.support.wait import until

LENT = "telar.shelf.book-lent.v1"


def chain(key: str, *numbers: int, branch: str = "", other: str = LENT) -> list[Envelope]:
    """The stream of one reader, as a publisher would have numbered it; or another branch of it.

    A number of nought is an event of the type `other`.
    """
    stream = streams.fresh(key)
    sealed: list[Envelope] = []
    for place, number in enumerate(numbers, 1):
        event = Envelope(
            id=f"{key}-{place}{branch}",
            topic="telar.shelf",
            key=key,
            sequence=0,
            previous=GENESIS,
            type=LENT if number else other,
            time=timestamp(datetime(2026, 3, 2, 12, tzinfo=UTC)),
            value=json.dumps({"reader_id": key, "number": number}).encode(),
            cause="cause",
            correlation="correlation",
        )
        stream, numbered = streams.number(stream, event)
        sealed.append(numbered)
    return sealed


class CoreSuite:
    """Inherited by a test module that offers `shelf_store`, `reader_store`, `bus`, `keys`."""

    @pytest.fixture
    async def shelf(self, keys: Path, shelf_store: Store, bus: Bus) -> AsyncIterator[Running]:
        async with running(mini.SHELF, keys, shelf_store, bus) as service:
            yield service

    @pytest.fixture
    async def reader(self, keys: Path, reader_store: Store, bus: Bus) -> AsyncIterator[Running]:
        async with running(mini.READER, keys, reader_store, bus) as service:
            yield service

    @staticmethod
    async def card(reader: Running, key: str, loans: list[int]) -> None:
        await until(lambda: reader.json(f"/cards/{key}"), lambda card: card.get("loans") == loans)

    @staticmethod
    async def parked(reader: Running) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await reader.json("/operations/reader/parked"))["items"]
        return found

    @staticmethod
    async def send(bus: Bus, *records: Outgoing) -> None:
        producer = await bus.producer()
        await producer.send(list(records), 10.0)
        await producer.close(2.0)

    async def test_a_command_takes_effect_in_the_next_service(
        self, shelf: Running, reader: Running
    ) -> None:
        lent = await shelf.post("/shelves/main/loans", {"reader_id": "ana", "number": 3})
        assert lent.status_code == 201
        read = await reader.http.get("/cards/ana", params={"after": lent.headers["telar-position"]})
        assert read.headers["telar-after"] == "reached"
        assert read.json() == {"id": "ana", "books": 3, "loans": [3]}

    async def test_a_query_waits_for_every_place_that_it_names(
        self, shelf: Running, reader: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(positions, "WAIT_SECONDS", 20.0)
        keys = [str(uuid4()) for _ in range(12)]
        lent = [
            await shelf.post("/shelves/s/loans", {"reader_id": key, "number": 1}) for key in keys
        ]
        after = ",".join(answer.headers["telar-position"] for answer in lent)
        read = await reader.http.get(f"/cards/{keys[-1]}", params={"after": after})
        assert (read.status_code, read.headers["telar-after"]) == (200, "reached")
        monkeypatch.setattr(positions, "WAIT_SECONDS", 0.1)
        behind = {"after": f"{after},shelf/{keys[0]}/2"}
        read = await reader.http.get(f"/cards/{keys[-1]}", params=behind)
        assert (read.status_code, read.headers["telar-after"]) == (200, "not-reached")

    async def test_a_repeat_gets_the_same_bytes_and_no_second_effect(self, shelf: Running) -> None:
        body = {"reader_id": "ana", "number": 3}
        first, second = [await shelf.post("/shelves/s/loans", body, "key-00001") for _ in "12"]
        assert first.content == second.content
        assert (await shelf.json("/shelves/s"))["lent"] == 3
        other = await shelf.post("/shelves/s/loans", {**body, "number": 4}, "key-00001")
        assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")

    async def test_a_refusal_is_stored_and_the_others_of_its_batch_go_on(
        self, shelf: Running
    ) -> None:
        asked = [
            shelf.post("/shelves/s/loans", {"reader_id": f"r{number}", "number": number})
            for number in (1, 101, 2, 500, 3)
        ]
        answers = await asyncio.gather(*asked)
        assert [answer.status_code for answer in answers] == [201, 409, 201, 409, 201]
        assert answers[1].json()["code"] == "too-many-books"
        assert (await shelf.json("/shelves/s"))["lent"] == 6

    async def test_two_replicas_lose_no_command(
        self, keys: Path, shelf_store: Store, bus: Bus
    ) -> None:
        async with AsyncExitStack() as stack:
            both = [
                await stack.enter_async_context(running(mini.SHELF, keys, shelf_store, bus))
                for _ in "12"
            ]
            asked = [
                both[number % 2].post(
                    "/shelves/s/loans", {"reader_id": f"r{number % 7}", "number": 1}
                )
                for number in range(80)
            ]
            answers = await asyncio.gather(*asked)
            assert {answer.status_code for answer in answers} == {201}
            assert (await both[0].json("/shelves/s"))["lent"] == 80

    async def test_doubled_and_inverted_events_apply_once_in_order(
        self, reader: Running, bus: Bus
    ) -> None:
        one, two, three = chain("eva", 1, 2, 3)
        await self.send(bus, *[encode(event) for event in (two, one, one, three, two, three)])
        await self.card(reader, "eva", [1, 2, 3])
        assert await self.parked(reader) == []

    async def test_a_lost_event_is_asked_for_and_sent_again(
        self,
        shelf: Running,
        reader: Running,
        bus: Bus,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(parking, "GAP_PATIENCE", timedelta(seconds=0.1))
        send = shelf.runtime.publisher.send

        async def lossy(events: list[Envelope]) -> None:
            await send([event for event in events if b'"number":2' not in event.value])

        monkeypatch.setattr(shelf.runtime.publisher, "send", lossy)
        for number in (1, 2, 3):
            await shelf.post("/shelves/s/loans", {"reader_id": "ana", "number": number})
        await until(
            lambda: self.parked(reader), lambda held: [one["reason"] for one in held] == ["gap"]
        )
        monkeypatch.setattr(shelf.runtime.publisher, "send", send)
        await self.card(reader, "ana", [1, 2, 3])

    async def test_a_failing_event_parks_its_key_alone_and_order_survives_repair(
        self, reader: Running, bus: Bus
    ) -> None:
        mini.poison.add(13)
        ill, well = chain("ill", 1, 13, 2), chain("well", 5, 6)
        await self.send(bus, *[encode(event) for event in (*ill, *well)])
        await self.card(reader, "well", [5, 6])
        await self.card(reader, "ill", [1])
        parked: Any = await until(lambda: self.parked(reader), bool)
        assert [(one["key"], one["code"], one["head"]) for one in parked] == [
            ("ill", "ZeroDivisionError", 2)
        ]
        mini.poison.clear()
        await self.card(reader, "ill", [1, 13, 2])
        assert await self.parked(reader) == []

    async def test_records_without_a_place_are_set_aside_and_the_partition_goes_on(
        self, reader: Running, bus: Bus
    ) -> None:
        (whole,) = chain("zoe", 7)
        good = encode(whole)

        def without(*names: str) -> Outgoing:
            kept = tuple(pair for pair in good.headers if pair[0] not in names)
            return Outgoing(good.topic, good.key, good.value, kept)

        def instead(name: str, value: Any) -> Outgoing:  # None too, as strangers may send
            changed = without(name)
            headers = (*changed.headers, (name, value))
            return Outgoing(good.topic, good.key, good.value, headers)

        broken = [
            Outgoing(good.topic, good.key, b"not json"),
            Outgoing(good.topic, b"\xff\xfe", good.value, good.headers),
            Outgoing(good.topic, b"someone-else", good.value, good.headers),
            without("ce_id"),
            without("ce_sequence"),
            instead("ce_sequence", b"-1"),
            instead("ce_sequence", b"1e9"),
            instead("ce_sequence", b"\xd9\xa1"),
            instead("ce_previous", None),
            instead("ce_type", b"\0" * 300 * 1024),
            instead("ce_time", b"yesterday"),
            instead("ce_source", b"/telar/other"),
            instead("ce_type", b"telar.other.thing.v1"),
            instead("ce_specversion", b"0.3"),
        ]
        await self.send(bus, *broken, instead("unknown", None))
        await self.card(reader, "zoe", [7])
        backlog = (await reader.json("/operations/reader"))["backlog"]
        assert backlog["quarantined"] == len(broken)
        assert await self.parked(reader) == []

    async def test_a_future_version_is_read_and_an_unknown_type_moves_the_position(
        self, reader: Running, bus: Bus
    ) -> None:
        stream = streams.fresh("fay")
        values = [
            ("telar.shelf.book-burnt.v1", {"reader_id": "fay", "stars": 5}),
            ("telar.shelf.book-lent.v1", {"reader_id": "fay", "number": 4, "cover": "red"}),
        ]
        (like,) = chain("fay", 1)
        records = []
        for kind, value in values:
            event = Envelope.from_document(
                {**like.to_document(), "type": kind, "value": json.dumps(value).encode()}
            )
            stream, sealed = streams.number(stream, event)
            records.append(encode(sealed))
        await self.send(bus, *records)
        await self.card(reader, "fay", [4])

    async def test_a_body_that_breaks_the_shape_is_kept_with_its_key(
        self, reader: Running, bus: Bus
    ) -> None:
        (event,) = chain("gil", 1)
        bad = Envelope.from_document({**event.to_document(), "value": b'{"reader_id": 7}'})
        await self.send(bus, encode(bad))
        parked: Any = await until(lambda: self.parked(reader), bool)
        assert [(one["key"], one["code"]) for one in parked] == [("gil", "ValidationError")]

    async def test_it_counts_what_was_published_and_applied(
        self, shelf: Running, reader: Running
    ) -> None:
        for number in (1, 2, 3):
            await shelf.post("/shelves/s/loans", {"reader_id": "ana", "number": number})
        await self.card(reader, "ana", [1, 2, 3])
        ours = await until(
            lambda: shelf.json("/operations/shelf"), lambda seen: seen["backlog"]["outbox"] == 0
        )
        theirs = await reader.json("/operations/reader")
        assert ours["published"] == theirs["applied"] == {"shelf": 3}
        topic = await shelf.json("/operations/shelf/topic")
        assert (topic["records"], topic["numbers"]) == (3, {"ana": [[1, 3]]})
