"""What the core expects of a store beside transactions: pages, instants, stretches, sums."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.chassis.ports import Conflict, Document, Index, Instant, Put, Store
from tests.integration.store_suite import NOON, new, newer, save

HOUR = timedelta(hours=1)
DUE = Instant("people", "ana", "due")


def ids(documents: list[Document]) -> list[str]:
    return [document["_id"] for document in documents]


def commit(doc_id: str, *events: tuple[str, str, int]) -> Put:
    """An outbox document with these (topic, key, sequence)."""
    named = [
        {"id": f"{topic}-{key}-{number}", "topic": topic, "key": key, "sequence": number}
        for topic, key, number in events
    ]
    return Put("outbox", {"_id": doc_id, "at": NOON, "events": named})


class ReadSuite:
    """Inherited by a test module that offers `store`."""

    @pytest.fixture(autouse=True)
    async def more_collections(self, store: Store) -> None:
        await store.ensure(["people", "outbox", "streams"], [])

    async def test_what_is_forgotten_is_gone_with_its_indexes_and_may_come_again(
        self, store: Store
    ) -> None:
        unique = Index("people", "email", unique=True, only="email")
        await store.ensure(["people"], [unique])
        await save(store, new("ana", email="a@x"), new("o1", "outbox"))
        for _ in range(2):
            await store.forget(["people", "never-there"])
        assert await store.get("people", "ana") is None
        assert await store.get("outbox", "o1") is not None
        await save(store, new("eva", email="a@x"), new("ida", email="a@x"))
        assert await store.count("people", {}, None) == 2

    async def test_the_oldest_is_looked_for_among_those_that_have_a_field(
        self, store: Store
    ) -> None:
        assert await store.oldest("people", "at", "due") is None
        people = [new("ana", at=NOON - HOUR), new("eva", at=NOON, due=NOON)]
        await save(store, *people, new("zoe", at=NOON + HOUR, due=NOON - HOUR))
        assert await store.oldest("people", "at", "due") == NOON
        await store.clear("people", ["eva"], "due")
        assert await store.oldest("people", "at", "due") == NOON + HOUR

    async def test_a_page_is_in_order_of_the_field_and_then_the_id(self, store: Store) -> None:
        ranks = {"e": 1, "d": 2, "c": 2, "b": 2, "a": 3, "f": None}
        await save(store, *(new(name, rank=rank) for name, rank in ranks.items()), new("g"))
        seen: list[str] = []
        after: tuple[Any, str] | None = None
        while found := await store.page("people", {}, sort="rank", after=after, limit=2):
            assert len(found) <= 2
            seen += ids(found)
            after = found[-1].get("rank"), found[-1]["_id"]
        assert seen == ["f", "g", "e", "b", "c", "d", "a"]

    async def test_pages_by_id_leave_nothing_out_and_repeat_nothing(self, store: Store) -> None:
        await save(store, *(new(f"p{number:03}") for number in range(25)))
        seen: list[str] = []
        while found := await store.page(
            "people", {}, sort="_id", after=(seen[-1], seen[-1]) if seen else None, limit=10
        ):
            seen += ids(found)
        assert seen == [f"p{number:03}" for number in range(25)]

    async def test_of_a_page_only_what_is_asked_for_is_shown(self, store: Store) -> None:
        whole = {"key": "ana", "n": 1, "value": b"1"}
        events: list[Any] = [whole, {"key": "eva"}, {"value": b"2"}, [], 3]
        town = {"town": "Papantla", "state": "VER"}
        await save(store, new("a", rank=1, events=events), new("b", place=town))
        shown = ("rank", "events.key", "events.n", "place.town", "version.major")
        found = await store.page("people", {}, sort="_id", after=None, limit=9, shown=shown)
        assert found == [
            {"_id": "a", "rank": 1, "events": [{"key": "ana", "n": 1}, {"key": "eva"}, {}, []]},
            {"_id": "b", "place": {"town": "Papantla"}},
        ]

    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            ({"state": "open"}, ["a", "b"]),
            ({"state": "open", "roles": "owner"}, ["a"]),
            ({"place.town": "Papantla"}, ["b"]),
            ({"place": None}, ["a", "c"]),
            ({"count": 1}, ["a"]),
            ({"state": {"$ne": "open"}}, []),
        ],
        ids=["equal", "and-contained", "inside", "missing", "one-is-not-true", "no-operator"],
    )
    async def test_what_is_asked_is_compared_and_never_obeyed(
        self, store: Store, where: dict[str, Any], expected: list[str]
    ) -> None:
        await save(
            store,
            new("a", state="open", roles=["owner", "guest"], count=1),
            new("b", state="open", roles=["guest"], place={"town": "Papantla"}, count=True),
            new("c", state="shut"),
        )
        assert ids(await store.page("people", where, sort="_id", after=None, limit=9)) == expected
        assert await store.count("people", where, None) == len(expected)

    async def test_some_are_found_and_the_others_are_not_there(self, store: Store) -> None:
        await save(store, *(new(name, n=1) for name in "abc"))
        found = await store.some("people", ["c", "nobody", "a"])
        assert found == {name: {"_id": name, "version": 1, "n": 1} for name in "ac"}
        assert await store.some("people", []) == {}

    async def test_the_oldest_instants_come_first_and_none_of_the_future(
        self, store: Store
    ) -> None:
        dues = {"c": NOON - HOUR, "b": NOON, "a": NOON - 2 * HOUR, "d": NOON + HOUR, "e": None}
        await save(store, *(new(name, due=due) for name, due in dues.items()), new("f"))
        assert ids(await store.before("people", "due", NOON, 10)) == ["a", "c", "b"]
        assert ids(await store.before("people", "due", NOON, 2)) == ["a", "c"]

    async def test_of_many_that_move_an_instant_one_wins(self, store: Store) -> None:
        await save(store, new("ana", due=NOON))
        moves = [
            store.move(DUE, NOON, NOON + number * HOUR, {"n": number}) for number in range(1, 6)
        ]
        won = await asyncio.gather(*moves)
        assert sum(won) == 1
        number = won.index(True) + 1
        moved = {"_id": "ana", "version": 1, "due": NOON + number * HOUR, "n": number}
        assert await store.get("people", "ana") == moved
        assert not await store.move(Instant("people", "nobody", "due"), NOON, NOON)

    async def test_a_moved_instant_is_in_the_way_of_who_read_it_before(self, store: Store) -> None:
        await save(store, new("ana", due=NOON))
        async with store.transaction() as transaction:
            await transaction.load({"people": ["ana"]})
            assert await store.move(DUE, NOON, NOON + HOUR)
            with pytest.raises(Conflict):
                await transaction.write([newer("ana", 1)])

    async def test_clearing_a_field_leaves_the_others(self, store: Store) -> None:
        await save(store, *(new(name, due=NOON, n=1) for name in "abc"))
        await store.clear("people", ["a", "b", "nobody"], "due")
        assert await store.get("people", "a") == {"_id": "a", "version": 1, "n": 1}
        assert await store.count("people", {}, "due") == 1
        assert await store.count("people", {"n": 1}, "n") == 3

    async def test_a_stretch_of_a_stream_comes_by_sequence_whatever_commit_it_is_in(
        self, store: Store
    ) -> None:
        await store.ensure(["outbox"], [Index("outbox", "events.key", "events.sequence")])
        await save(
            store,
            commit("z", ("t", "ana", 1), ("t", "eva", 1), ("u", "ana", 2)),
            commit("y", ("t", "ana", 2), ("t", "ana", 3)),
            commit("x", ("u", "ana", 3), ("t", "ana", 4), ("t", "ana", 5)),
            commit("w", ("t", "eva", 4)),
        )
        found = await store.resend("t", "ana", 2, 4, 10)
        assert [event["id"] for event in found] == ["t-ana-2", "t-ana-3", "t-ana-4"]
        assert [event["sequence"] for event in await store.resend("t", "ana", 1, 5, 2)] == [1, 2]
        assert await store.resend("t", "nobody", 1, 9, 10) == []

    async def test_totals_add_the_last_numbers_of_every_stream(self, store: Store) -> None:
        await save(
            store,
            new("ana", "streams", **{"out": {"t": [3, "hash"]}, "in": {"u": [1, "hash"]}}),
            new("eva", "streams", **{"out": {"t": [4, "hash"]}, "in": {}}),
        )
        assert await store.totals() == ({"t": 7}, {"u": 1})

    async def test_ensuring_may_be_repeated_and_raced(self, store: Store) -> None:
        indexes = [
            Index("people", "email", unique=True),
            Index("people", "state", "rank"),
            Index("people", "due", only="due"),
            Index("requests", "expires", expires=True),
        ]
        for _ in range(2):
            await asyncio.gather(*(store.ensure(["people", "fairs"], indexes) for _ in range(3)))
        await save(store, new("ana", email="x"), new("r1", "requests"))
        assert await store.count("people", {}, None) == 1

    async def test_its_clock_is_in_utc_and_never_goes_back(self, store: Store) -> None:
        first, second = await store.time(), await store.time()
        assert first.tzinfo is not None
        assert first.utcoffset() == timedelta()
        assert datetime(2026, 1, 1, tzinfo=UTC) < first <= second
