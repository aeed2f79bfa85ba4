"""What the core expects of a store; run on memory and on a real MongoDB."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from shared.chassis.ports import (
    Conflict,
    Drop,
    Index,
    OutcomeUnknown,
    Put,
    Store,
    StoreUnavailable,
    UniqueViolated,
    Write,
)

Silence = Callable[[], AbstractAsyncContextManager[object]]
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
EMAIL = Index("people", "email", unique=True, only="email")


def new(doc_id: str, collection: str = "people", **fields: Any) -> Put:
    return Put(collection, {"_id": doc_id, "version": 1, **fields})


def newer(doc_id: str, was: int, collection: str = "people", **fields: Any) -> Put:
    return Put(collection, {"_id": doc_id, "version": was + 1, **fields}, was)


async def save(store: Store, *writes: Write) -> None:
    async with store.transaction() as transaction:
        await transaction.write(writes)
        await transaction.commit()


class WriteSuite:
    """Inherited by a test module that offers `store` and `silence`.

    Within `silence()` a commit happens, and its answer never comes.
    """

    @pytest.fixture(autouse=True)
    async def collections(self, store: Store) -> None:
        """Made inside a transaction, a collection hides a conflict until the commit."""
        await store.ensure(["people", "awards", "fairs", "offsets"], [])

    async def test_writes_are_seen_together_and_only_once_committed(self, store: Store) -> None:
        async with store.transaction() as transaction:
            await transaction.write([new("ana"), new("a1", "awards")])
            assert await store.get("people", "ana") is None
            await transaction.commit()
        assert await store.get("people", "ana") == {"_id": "ana", "version": 1}
        assert await store.get("awards", "a1") == {"_id": "a1", "version": 1}

    async def test_leaving_without_a_commit_undoes_everything(self, store: Store) -> None:
        async with store.transaction() as transaction:
            await transaction.write([new("ana")])
        assert await store.get("people", "ana") is None
        await save(store, new("ana"))  # and holds nothing back

    async def test_a_load_answers_for_every_collection_with_what_is_there(
        self, store: Store
    ) -> None:
        await save(store, new("ana"), new("eva"), new("a1", "awards"), new("ana", "awards"))
        wanted = {"fairs": ["f1"], "people": ["eva", "nobody", "ana"], "awards": ["a1", "ana"]}
        for reads in (store.transaction, store.snapshot):
            async with reads() as there:
                found = await there.load(wanted)
            assert {name: sorted(documents) for name, documents in found.items()} == {
                "fairs": [],
                "people": ["ana", "eva"],
                "awards": ["a1", "ana"],
            }

    async def test_a_load_answers_for_many_and_for_none(self, store: Store) -> None:
        many = [f"p{number:03d}" for number in range(150)]
        await save(store, *map(new, many), *(new(one, "awards") for one in many))
        for reads in (store.transaction, store.snapshot):
            async with reads() as there:
                assert await there.load({}) == {}
                found = await there.load({"people": many, "awards": many})
            assert {name: sorted(documents) for name, documents in found.items()} == {
                "people": many,
                "awards": many,
            }

    async def test_a_document_comes_back_as_it_is_kept(self, store: Store) -> None:
        there = datetime(2026, 3, 2, 6, 0, 0, 123456, tzinfo=timezone(timedelta(hours=-6)))
        await save(store, new("ana", at=there, body=b"\x00\xff", inner={"list": (1, "x", None)}))
        found = await store.get("people", "ana")
        assert found is not None
        assert found["at"] == NOON.replace(microsecond=123000)
        assert found["at"].utcoffset() == timedelta()
        assert (found["body"], found["inner"]) == (b"\x00\xff", {"list": [1, "x", None]})
        found["inner"]["list"].append("mine alone")
        again = await store.get("people", "ana")
        assert again is not None
        assert again["inner"] == {"list": [1, "x", None]}

    @pytest.mark.parametrize(
        "fields",
        [{"a.b": 1}, {"$set": 1}, {"inner": [{"a.b": 1}]}, {"big": 2**64}, {"half": "\ud800"}],
        ids=["dot", "dollar", "dot-inside", "big-integer", "half-a-character"],
    )
    async def test_what_cannot_be_kept_is_refused_and_nothing_is_written(
        self, store: Store, fields: dict[str, Any]
    ) -> None:
        with pytest.raises(ValueError, match=r"\w"):
            await save(store, new("eva"), new("ana", **fields))
        with pytest.raises(ValueError, match=r"\w"):
            store.check(new("ana", **fields))
        store.check(new("eva"))
        assert await store.count("people", {}, None) == 0

    async def test_the_second_of_two_writers_is_in_conflict(self, store: Store) -> None:
        await save(store, new("ana"))
        async with store.transaction() as first, store.transaction() as second:
            await first.load({"people": ["ana"]})
            await second.load({"people": ["ana"]})
            await first.write([newer("ana", 1, by="first")])
            await first.commit()
            with pytest.raises(Conflict):
                await second.write([newer("ana", 1, by="second")])
        assert await store.get("people", "ana") == {"_id": "ana", "version": 2, "by": "first"}

    @pytest.mark.parametrize("is_over", [False, True], ids=["under-way", "committed"])
    async def test_first_sight_of_a_key_in_two_transactions_is_a_conflict(
        self, store: Store, is_over: bool
    ) -> None:
        async with store.transaction() as first, store.transaction() as second:
            await first.load({"people": ["ana"]})
            await second.load({"people": ["ana"]})
            await first.write([new("ana", by="first")])
            if is_over:
                await first.commit()
            with pytest.raises(Conflict):
                await second.write([new("ana", by="second")])
            if not is_over:
                await first.commit()
        assert await store.get("people", "ana") == {"_id": "ana", "version": 1, "by": "first"}

    async def test_a_key_that_is_there_already_is_a_conflict(self, store: Store) -> None:
        await save(store, new("ana"))
        with pytest.raises(Conflict):
            await save(store, new("ana"))

    @pytest.mark.parametrize(
        "write",
        [newer("ana", 2), newer("nobody", 1), Drop("people", "ana", 2), Drop("people", "eva", 1)],
        ids=["put-another", "put-missing", "drop-another", "drop-missing"],
    )
    async def test_another_version_than_the_one_loaded_is_a_conflict(
        self, store: Store, write: Write
    ) -> None:
        await save(store, new("ana"))
        with pytest.raises(Conflict):
            await save(store, new("zoe"), write)
        assert await store.get("people", "ana") == {"_id": "ana", "version": 1}
        assert await store.get("people", "zoe") is None

    async def test_a_drop_takes_the_document_away(self, store: Store) -> None:
        await save(store, new("ana"))
        await save(store, Drop("people", "ana", 1))
        assert await store.get("people", "ana") is None

    async def test_what_has_no_versions_replaces_whatever_was_there(self, store: Store) -> None:
        for offset in (7, 9):
            await save(store, Put("offsets", {"_id": "t/0", "next": offset}, versioned=False))
        assert await store.get("offsets", "t/0") == {"_id": "t/0", "next": 9}

    async def test_a_unique_index_names_the_document_that_it_refused(self, store: Store) -> None:
        await store.ensure(["people"], [EMAIL])
        await save(store, new("ana", email="x@y"))
        with pytest.raises(UniqueViolated) as refused:
            await save(store, new("a1", "awards"), new("eva", email="e@y"), new("zoe", email="x@y"))
        found = refused.value
        assert (found.collection, found.doc_id, found.index) == ("people", "zoe", "email")
        assert await store.get("people", "eva") is None
        assert await store.get("awards", "a1") is None

    async def test_two_transactions_that_take_one_entry_are_in_conflict(self, store: Store) -> None:
        await store.ensure(["people"], [EMAIL])
        async with store.transaction() as first, store.transaction() as second:
            await first.load({"people": ["ana"]})
            await second.load({"people": ["eva"]})
            await first.write([new("ana", email="x@y")])
            with pytest.raises(Conflict):
                await second.write([new("eva", email="x@y")])
            await first.commit()
        with pytest.raises(UniqueViolated):  # run again, it is no longer a matter of time
            await save(store, new("eva", email="x@y"))

    async def test_an_entry_given_up_may_be_taken_in_the_same_transaction(
        self, store: Store
    ) -> None:
        await store.ensure(["people"], [EMAIL])
        await save(store, new("ana", email="x@y"))
        await save(store, new("eva", email="x@y"), Drop("people", "ana", 1))
        assert await store.count("people", {"email": "x@y"}, None) == 1

    async def test_a_partial_index_leaves_out_who_has_no_such_field(self, store: Store) -> None:
        await store.ensure(["people"], [EMAIL])
        await save(store, new("ana"), new("eva"))
        assert await store.count("people", {}, "email") == 0

    async def test_a_snapshot_reads_one_instant_and_stands_in_nobodys_way(
        self, store: Store
    ) -> None:
        await save(store, new("ana"), new("a1", "awards"))
        async with store.snapshot() as snapshot:
            found = await snapshot.load({"people": ["ana"]})
            await save(store, newer("ana", 1), newer("a1", 1, "awards"), new("eva"))
            found |= await snapshot.load({"awards": ["a1"], "people": ["ana", "eva"]})
        assert found == {
            "people": {"ana": {"_id": "ana", "version": 1}},
            "awards": {"a1": {"_id": "a1", "version": 1}},
        }
        async with store.snapshot() as later:
            assert (await later.load({"people": ["ana"]}))["people"]["ana"]["version"] == 2

    async def test_a_transaction_reads_one_instant_and_its_own_writes(self, store: Store) -> None:
        await save(store, new("ana", n=1), new("a1", "awards", n=1))
        async with store.transaction() as transaction:
            await transaction.load({"people": ["ana"]})
            await save(store, newer("ana", 1, n=2), newer("a1", 1, "awards", n=2))
            found = await transaction.load({"people": ["ana"], "awards": ["a1"]})
            await transaction.write([new("eva")])
            mine = await transaction.load({"people": ["eva"]})
        assert (found["people"]["ana"]["n"], found["awards"]["a1"]["n"]) == (1, 1)
        assert mine == {"people": {"eva": {"_id": "eva", "version": 1}}}

    async def test_nothing_goes_on_in_a_transaction_after_an_error(self, store: Store) -> None:
        await save(store, new("ana"))
        async with store.transaction() as transaction:
            await transaction.write([new("eva")])
            with pytest.raises(Conflict):
                await transaction.write([new("ana")])
            with pytest.raises(RuntimeError):
                await transaction.load({"people": ["ana"]})
            with pytest.raises(RuntimeError):
                await transaction.commit()
        assert await store.get("people", "eva") is None

    async def test_a_commit_without_an_answer_has_happened_once(
        self, store: Store, silence: Silence
    ) -> None:
        async with store.transaction() as transaction:
            await transaction.write([new("ana")])
            async with silence():
                with pytest.raises(OutcomeUnknown):
                    await transaction.commit()
        assert await store.get("people", "ana") == {"_id": "ana", "version": 1}
        with pytest.raises(Conflict):
            await save(store, new("ana"))

    async def test_who_commits_is_told_once_it_goes_out_and_not_before(self, store: Store) -> None:
        await save(store, new("eva"))
        sent: list[str] = []
        async with store.transaction() as transaction:
            with pytest.raises(Conflict):
                await transaction.commit([new("ana"), new("eva")], lambda: sent.append("both"))
        assert sent == []
        assert await store.get("people", "ana") is None
        async with store.transaction() as transaction:
            await transaction.write([new("zoe")])
            await transaction.commit([new("ana")], lambda: sent.append("ana"))
        assert sent == ["ana"]
        assert sorted(await store.some("people", ["ana", "zoe"])) == ["ana", "zoe"]

    async def test_a_caller_that_goes_away_leaves_no_lock_behind(self, store: Store) -> None:
        written = asyncio.Event()

        async def caller() -> None:
            async with store.transaction() as transaction:
                await transaction.write([new("ana")])
                written.set()
                await transaction.load({"people": [f"p{number}" for number in range(500)]})
                await asyncio.Event().wait()

        task = asyncio.create_task(caller())
        await written.wait()
        task.cancel()
        await asyncio.wait({task})
        await save(store, new("ana", by="another"))

    async def test_what_is_closed_is_not_available(self, store: Store) -> None:
        await store.time()
        await store.close()
        with pytest.raises(StoreUnavailable):
            await store.get("people", "ana")
        with pytest.raises(StoreUnavailable):
            await save(store, new("ana"))
