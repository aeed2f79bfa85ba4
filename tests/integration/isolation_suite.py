"""What one document lacks is the fault of those who need it; on memory and on real servers."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from shared.chassis import streams
from shared.chassis.control import Head
from shared.chassis.envelope import ATTRIBUTES, Envelope, encode
from shared.chassis.mending import Hear
from shared.chassis.ports import Bus, Document, Loaded, Put, Record, Store
from shared.chassis.work import Arrival, Reading, Work, caused_by
from tests.integration.core_suite import chain
from tests.integration.fork_suite import ForkSuite
from tests.integration.repair_suite import SHELF, Lent, order
from tests.support import mini
from tests.support.app import Running

UNREADABLE: Document = {"_id": "ill", "version": 1, "books": -1}
"""A card to another release, perhaps; to this one it is none."""


class Undecodable(Lent):
    """A store with a card that its driver cannot decode."""

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Any]:
        async with self._lender.snapshot() as snapshot:
            load = snapshot.load

            async def picky(wanted: Mapping[str, Sequence[str]]) -> Loaded:
                if "ill" in wanted.get("cards", ()):
                    raise ValueError("cannot be decoded")
                return await load(wanted)

            snapshot.load = picky
            yield snapshot


async def keep(store: Store, collection: str, document: Document, was: int | None = None) -> None:
    async with store.transaction() as transaction:
        await transaction.write([Put(collection, document, was)])
        await transaction.commit()


def arrival(reader: Running, event: Envelope, offset: int, reading: Reading) -> Arrival:
    """An event as a consumer has read it."""
    sent = encode(event)
    record = Record(sent.topic, 0, offset, sent.key, sent.value, sent.headers)
    return Arrival(caused_by(event, reader.runtime.clock.now()), record, event, reading)


async def together(service: Running, works: list[Work]) -> list[Any]:
    """How each of one batch ended."""
    service.runtime.writer.submit(works)
    return await asyncio.gather(*(work.future for work in works), return_exceptions=True)


async def aside(store: Store) -> list[tuple[str, bytes]]:
    """Why records were set aside, and their keys."""
    found = await store.page("quarantine", {}, sort="_id", after=None, limit=10)
    return [(one["code"], one["key"]) for one in found]


class IsolationSuite(ForkSuite):
    """Inherited by a test module that offers what `CoreSuite` wants."""

    @pytest.fixture(autouse=True)
    def _well_again(self) -> Iterator[None]:
        yield
        mini.huge.clear()

    async def ill(self, reader: Running) -> tuple[str, str, int]:
        """What is parked, once something is: its key, why, and which event."""
        (one,) = await self.why(reader, "failed")
        return one["key"], one["code"], one["head"]

    async def test_a_state_that_cannot_be_read_parks_its_key_alone(
        self, reader: Running, reader_store: Store, bus: Bus
    ) -> None:
        await keep(reader_store, "cards", UNREADABLE)
        events = [one for key in ("ill", "ana") for one in chain(key, 1, 2)]
        await self.send(bus, *map(encode, events))
        await self.card(reader, "ana", [1, 2])
        assert await self.ill(reader) == ("ill", "StateUnreadable", 1)
        shown = await reader.http.get("/cards/ill")
        assert (shown.status_code, shown.json()["code"]) == (500, "state-unreadable")
        await keep(reader_store, "cards", {**UNREADABLE, "version": 2, "books": 0}, 1)
        await self.card(reader, "ill", [1, 2])
        await self.why(reader)

    async def test_an_event_whose_key_cannot_even_be_parked_is_set_aside_and_comes_again(
        self, reader: Running, reader_store: Store, bus: Bus
    ) -> None:
        stream = streams.fresh("ill")
        await keep(reader_store, "streams", {**stream, "version": 1, "in": {"shelf": None}})
        ill, well = chain("ill", 1, 2), chain("ana", 1, 2)
        await self.send(bus, *map(encode, [ill[0], *well]))
        await self.card(reader, "ana", [1, 2])
        assert await aside(reader_store) == [("TypeError", b"ill")]
        (kept,) = await reader_store.page("quarantine", {}, sort="_id", after=None, limit=2)
        assert kept["value"] == ill[0].value
        sent = dict(encode(ill[0]).headers)
        assert dict(kept["headers"]) == {name: sent[name] for name in ATTRIBUTES if name in sent}
        await keep(reader_store, "streams", {**stream, "version": 2}, 1)
        await self.send(bus, encode(ill[1]))
        await self.why(reader, "gap")
        await self.send(bus, encode(ill[0]))
        await self.card(reader, "ill", [1, 2])

    async def test_a_document_without_a_version_is_the_fault_of_those_who_need_it(
        self, reader: Running, reader_store: Store, bus: Bus
    ) -> None:
        """It could only be written as if it were new: the whole batch would conflict for ever."""
        await keep(reader_store, "streams", streams.fresh("ill"))
        await keep(reader_store, "cards", {"_id": "weak", "books": 0})
        events = [one for key in ("ill", "weak", "ana") for one in chain(key, 1, 2)]
        await self.send(bus, *map(encode, events))
        await self.card(reader, "ana", [1, 2])
        assert await self.ill(reader) == ("weak", "StateUnreadable", 1)
        assert await aside(reader_store) == [("StateUnreadable", b"ill")] * 2

    async def test_a_state_that_cannot_be_written_parks_its_key_alone(
        self, reader: Running, bus: Bus
    ) -> None:
        mini.huge.add(13)
        events = [one for key in ("ill", "ana") for one in chain(key, 1, 2 if key == "ana" else 13)]
        await self.send(bus, *map(encode, events))
        await self.card(reader, "ana", [1, 2])
        await self.card(reader, "ill", [1])
        assert await self.ill(reader) == ("ill", "StateUnwritable", 2)
        again = await order(reader, "reader/parked/retry", topic=SHELF, key="ill")
        assert (again.json()["outcome"], again.json()["code"]) == ("failed", "StateUnwritable")
        mini.huge.clear()
        await self.card(reader, "ill", [1, 13])
        await self.why(reader)

    async def test_what_waits_is_applied_up_to_what_cannot_be_written(
        self, reader: Running, bus: Bus
    ) -> None:
        mini.huge.add(13)
        first, *later = map(encode, chain("ill", 1, 2, 13, 3))
        await self.send(bus, *later)
        await self.why(reader, "gap")
        await self.send(bus, first)
        await self.card(reader, "ill", [1, 2])
        assert await self.ill(reader) == ("ill", "StateUnwritable", 3)
        mini.huge.clear()
        await self.card(reader, "ill", [1, 2, 13, 3])

    async def test_a_command_on_what_cannot_be_read_fails_alone_and_may_be_repeated(
        self, shelf: Running, shelf_store: Store
    ) -> None:
        burnt = {"_id": "ill", "version": 1, "status": "burnt"}
        await keep(shelf_store, "shelves", burnt)
        answers = await self.both(shelf, "ill", 1, "main", 2)
        assert answers == [(500, "state-unreadable"), (201, None)] * 5
        await keep(shelf_store, "shelves", {**burnt, "version": 2, "status": "open"}, 1)
        assert await self.both(shelf, "ill", 1, "main", 2) == [(201, None)] * 10
        assert (await shelf.json("/shelves/main"))["lent"] == 10

    async def test_a_command_whose_effect_cannot_be_written_fails_alone(
        self, shelf: Running
    ) -> None:
        mini.huge.add(13)
        answers = await self.both(shelf, "ill", 13, "main", 2)
        assert answers == [(500, "state-unwritable"), (201, None)] * 5
        assert (await shelf.json("/shelves/main"))["lent"] == 10
        assert (await shelf.http.get("/shelves/ill")).status_code == 404

    @staticmethod
    async def both(
        shelf: Running, one: str, its: int, other: str, number: int
    ) -> list[tuple[int, str | None]]:
        """Commands on one and on the other beside each other: status and code; repeats are such."""
        asked = [
            shelf.post(
                f"/shelves/{which}/loans",
                {"reader_id": f"r{place}", "number": count},
                f"{which}-{place:08}",
            )
            for place in range(5)
            for which, count in ((one, its), (other, number))
        ]
        return [
            (answer.status_code, answer.json().get("code"))
            for answer in await asyncio.gather(*asked)
        ]

    @pytest.mark.parametrize("why", ["StateUnreadable", "StateUnwritable"])
    async def test_what_a_publisher_says_of_a_key_is_heard_beside_its_failure(
        self, reader: Running, reader_store: Store, why: str
    ) -> None:
        """Else the loop that repairs would end, and the process with it."""
        if why == "StateUnreadable":
            await keep(reader_store, "cards", UNREADABLE)
        mini.huge.add(13)
        reading, now = Reading(), reader.runtime.clock.now()
        (ill,), (ana,) = chain("ill", 13), chain("ana", 1)
        context = caused_by(ill, now)
        ends = await together(
            reader,
            [
                arrival(reader, ill, 0, reading),
                Hear(context, SHELF, Head(key="ill", sequence=2, digest="0" * 64), None),
                arrival(reader, ana, 1, reading),
                Hear(context, SHELF, Head(key="eva", sequence=1, digest="0" * 64), None),
            ],
        )
        assert ends == ["held", "behind", "applied", "behind"]
        assert [one["code"] for one in await self.parked(reader) if one["key"] == "ill"] == [why]

    async def test_an_error_that_names_nobody_is_traced_to_one_event(
        self, reader: Running, reader_store: Store, bus: Bus, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reader.runtime.writer, "store", Undecodable(reader_store))
        keys = ("ana", "eva", "ill", "zoe")
        await self.send(bus, *[encode(one) for key in keys for one in chain(key, 1, 2)])
        for key in ("ana", "eva", "zoe"):
            await self.card(reader, key, [1, 2])
        assert await self.ill(reader) == ("ill", "ValueError", 1)
        monkeypatch.setattr(reader.runtime.writer, "store", reader_store)
        again = await order(reader, "reader/parked/retry", topic=SHELF, key="ill")
        assert again.json()["outcome"] == "released"
        await self.card(reader, "ill", [1, 2])
        await self.why(reader)
