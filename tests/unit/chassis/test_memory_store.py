"""The in-memory store keeps what the suites ask, and the suites catch one that does not."""

import inspect
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest

from shared.chassis.memory import MemoryStore
from shared.chassis.memory.transaction import Key, MemoryTransaction
from shared.chassis.ports import (
    Document,
    Instant,
    OutcomeUnknown,
    Put,
    StoreError,
    StoreUnavailable,
    UniqueViolated,
    Write,
)
from tests.integration.store_reading_suite import ReadSuite
from tests.integration.store_suite import Silence, WriteSuite, new, save


def silence_of(store: MemoryStore) -> Silence:
    @asynccontextmanager
    async def silence() -> AsyncIterator[None]:
        store.faults.fail_next("commit", OutcomeUnknown, after=True)
        yield

    return silence


class TestMemoryStore(WriteSuite, ReadSuite):
    @pytest.fixture
    def store(self) -> MemoryStore:
        return MemoryStore()

    @pytest.fixture
    def silence(self, store: MemoryStore) -> Silence:
        return silence_of(store)


class WithoutConflicts(MemoryTransaction):
    def claim(self, key: Key) -> None:
        self.staged.setdefault(key, self.visible(key))


class WithoutVersions(MemoryTransaction):
    def same_version(self, key: Key, was: int | None) -> None:
        pass


class WithoutSnapshot(MemoryTransaction):
    def snapshot(self) -> Mapping[str, Mapping[str, Document]]:
        return self._store.data


class WithoutUnique(MemoryTransaction):
    def unique(self, write: Put, document: Document) -> None:
        pass


class WithoutNaming(MemoryTransaction):
    def unique(self, write: Put, document: Document) -> None:
        try:
            super().unique(write, document)
        except UniqueViolated as violated:
            raise UniqueViolated(violated.collection, "somebody", violated.index) from None


class Dirty(MemoryTransaction):
    async def write(self, writes: Sequence[Write]) -> None:
        await super().write(writes)
        self._store.apply(self.staged)


class Forgiving(MemoryTransaction):
    async def write(self, writes: Sequence[Write]) -> None:
        try:
            await super().write(writes)
        finally:
            self._open = True


class Forgetful(MemoryTransaction):
    def make_visible(self) -> None:
        self.staged = {}
        super().make_visible()


class Locking(MemoryTransaction):
    def end(self) -> None:
        self._open = False


def store_with(kind: type[MemoryTransaction]) -> type[MemoryStore]:
    return type(kind.__name__, (MemoryStore,), {"transactions": kind})


class LeakyStore(MemoryStore):
    async def get(self, collection: str, doc_id: str) -> Document | None:
        return self.committed((collection, doc_id))


class UnsteadyPages(MemoryStore):
    async def page(self, *of: Any, after: tuple[Any, str] | None, **how: Any) -> list[Document]:
        after = after if after is None else (after[0], "~")  # skips whoever has the same value
        return await super().page(*of, after=after, **how)


class ShowsAll(MemoryStore):
    async def page(self, *of: Any, shown: Sequence[str] = (), **how: Any) -> list[Document]:
        return await super().page(*of, **how)


class EverybodyWins(MemoryStore):
    async def move(
        self, place: Instant, was: datetime, to: datetime, also: Mapping[str, Any] | None = None
    ) -> bool:
        await super().move(place, was, to, also)
        return True


class OnlyTheInstant(MemoryStore):
    async def move(
        self, place: Instant, was: datetime, to: datetime, also: Mapping[str, Any] | None = None
    ) -> bool:
        return await super().move(place, was, to)


class Everybody(MemoryStore):
    async def some(self, collection: str, ids: Sequence[str]) -> dict[str, Document]:
        return {row["_id"]: row for row in self.all(collection)}


class WholeCommits(MemoryStore):
    async def resend(
        self, topic: str, key: str, first: int, last: int, limit: int
    ) -> list[Document]:
        return [event for row in self.all("outbox") for event in row["events"]][:limit]


BREAKAGES = [
    (store_with(WithoutConflicts), "test_the_second_of_two_writers_is_in_conflict"),
    (store_with(WithoutConflicts), "test_a_moved_instant_is_in_the_way_of_who_read_it_before"),
    (store_with(WithoutVersions), "test_a_key_that_is_there_already_is_a_conflict"),
    (store_with(WithoutSnapshot), "test_a_transaction_reads_one_instant_and_its_own_writes"),
    (store_with(WithoutSnapshot), "test_a_snapshot_reads_one_instant_and_stands_in_nobodys_way"),
    (store_with(WithoutUnique), "test_a_unique_index_names_the_document_that_it_refused"),
    (store_with(WithoutNaming), "test_a_unique_index_names_the_document_that_it_refused"),
    (store_with(Dirty), "test_writes_are_seen_together_and_only_once_committed"),
    (store_with(Dirty), "test_leaving_without_a_commit_undoes_everything"),
    (store_with(Forgiving), "test_nothing_goes_on_in_a_transaction_after_an_error"),
    (store_with(Forgetful), "test_a_commit_without_an_answer_has_happened_once"),
    (store_with(Locking), "test_a_caller_that_goes_away_leaves_no_lock_behind"),
    (LeakyStore, "test_a_document_comes_back_as_it_is_kept"),
    (ShowsAll, "test_of_a_page_only_what_is_asked_for_is_shown"),
    (UnsteadyPages, "test_a_page_is_in_order_of_the_field_and_then_the_id"),
    (EverybodyWins, "test_of_many_that_move_an_instant_one_wins"),
    (OnlyTheInstant, "test_of_many_that_move_an_instant_one_wins"),
    (Everybody, "test_some_are_found_and_the_others_are_not_there"),
    (WholeCommits, "test_a_stretch_of_a_stream_comes_by_sequence_whatever_commit_it_is_in"),
]


@pytest.mark.parametrize(
    ("broken", "name"), BREAKAGES, ids=[f"{kind.__name__}-{name}" for kind, name in BREAKAGES]
)
async def test_the_suite_catches_a_store_that_is_broken(
    broken: type[MemoryStore], name: str
) -> None:
    test, store = getattr(TestMemoryStore(), name), broken()
    offered = {"store": store, "silence": silence_of(store)}
    wanted = {key: offered[key] for key in inspect.signature(test).parameters}
    with pytest.raises((AssertionError, pytest.fail.Exception, StoreError)):
        await test(**wanted)


class TestFaults:
    async def test_a_planned_failure_comes_before_or_after_the_effect(self) -> None:
        store = MemoryStore()
        store.faults.fail_next("commit", StoreUnavailable)
        store.faults.fail_next("commit", OutcomeUnknown, after=True)
        with pytest.raises(StoreUnavailable):
            await save(store, new("ana"))
        assert store.all("people") == []
        with pytest.raises(OutcomeUnknown):
            await save(store, new("ana"))
        assert store.all("people") == [{"_id": "ana", "version": 1}]

    async def test_another_process_may_act_in_between(self) -> None:
        store = MemoryStore()
        store.faults.meanwhile("write", lambda: save(store, new("eva")))
        await save(store, new("ana"))
        assert [row["_id"] for row in store.all("people")] == ["ana", "eva"]

    async def test_what_is_out_answers_again_with_what_it_had(self) -> None:
        store = MemoryStore()
        await save(store, new("ana"))
        store.faults.go_out()
        with pytest.raises(StoreUnavailable):
            await store.get("people", "ana")
        store.faults.come_back()
        assert await store.get("people", "ana") is not None
