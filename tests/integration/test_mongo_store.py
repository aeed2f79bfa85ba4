"""The store on a real MongoDB, and what only a real one can do: be cut off, killed, frozen."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from pymongo.client_session import ClientSession
from pymongo.errors import AutoReconnect, ExecutionTimeout

from deploy.local.servers import Servers
from shared.chassis.mongo import MongoStore, MongoTransaction
from shared.chassis.mongo import transaction as mongo_transaction
from shared.chassis.ports import Conflict, OutcomeUnknown, StoreUnavailable
from shared.chassis.runtime import INDEXES
from tests.integration.store_reading_suite import ReadSuite
from tests.integration.store_suite import NOON, Silence, WriteSuite, new, newer, save
from tests.support.proxy import Proxy
from tests.support.wait import until


@pytest.fixture
def database() -> str:
    return f"store_{uuid4().hex[:12]}"


@pytest.fixture
async def wire(servers: Servers) -> AsyncIterator[Proxy]:
    found = re.search(r":(\d+)/", servers.mongo)
    assert found is not None
    async with Proxy(int(found[1])) as proxy:
        yield proxy


@pytest.fixture
async def store(wire: Proxy, database: str) -> AsyncIterator[MongoStore]:
    """A store whose wire can be cut."""
    store = MongoStore(f"mongodb://127.0.0.1:{wire.port}/?directConnection=true", database)
    yield store
    await store.close()


@pytest.fixture
async def witness(servers: Servers, database: str) -> AsyncIterator[MongoStore]:
    """Another process that sees the same database."""
    store = MongoStore(servers.mongo, database)
    yield store
    await store.close()


async def test_what_is_too_large_is_refused_before_it_is_sent(store: MongoStore) -> None:
    await store.ensure(["people"], [])
    large = new("ana", body=bytes(16 * 1024 * 1024))
    with pytest.raises(ValueError, match="too large"):
        store.check(large)
    with pytest.raises(ValueError, match="too large"):
        await save(store, new("eva"), large)
    assert await store.count("people", {}, None) == 0


async def test_the_oldest_that_waits_is_found_without_reading_what_was_sent(
    store: MongoStore,
) -> None:
    await store.ensure(["outbox"], INDEXES)
    sent = [new(f"{number}", "outbox", at=NOON) for number in range(50)]
    await save(store, *sent, new("waits", "outbox", at=NOON, send_after=NOON))
    having = {"send_after": {"$exists": True}}
    plan = await store._database["outbox"].find(having).sort("at", 1).limit(1).explain()
    stats = plan["executionStats"]
    assert (stats["totalKeysExamined"], stats["totalDocsExamined"]) == (1, 1)
    assert '"SORT"' not in json.dumps(plan["queryPlanner"]["winningPlan"], default=str)


class TestMongoStore(WriteSuite, ReadSuite):
    @pytest.fixture
    def silence(self, wire: Proxy, monkeypatch: pytest.MonkeyPatch) -> Silence:
        @asynccontextmanager
        async def silence() -> AsyncIterator[None]:
            monkeypatch.setattr(mongo_transaction, "COMMIT_DEADLINE", 0.7)
            async with wire.silence():
                yield

        return silence


async def test_a_commit_whose_answer_is_lost_once_is_asked_again_alone(
    store: MongoStore, witness: MongoStore, wire: Proxy
) -> None:
    await save(store, new("ana"))
    async with store.transaction() as transaction:
        await transaction.write([newer("ana", 1)])
        async with wire.silence():
            commit = asyncio.create_task(transaction.commit())
            await until(lambda: witness.count("people", {"version": 2}, None))
        await commit  # no transaction was run again: the second would be in conflict
    assert await store.get("people", "ana") == {"_id": "ana", "version": 2}


async def test_a_commit_without_an_answer_is_sent_again_alone_and_only_so_long(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, lost = 0, 2

    async def commit_and_hear_nothing(transaction: MongoTransaction) -> None:
        session = transaction._session
        really = session.commit_transaction

        def deaf() -> None:
            nonlocal sent
            really()
            sent += 1
            if sent <= lost:
                cut = AutoReconnect("cut")
                cut._add_error_label("UnknownTransactionCommitResult")
                raise cut

        monkeypatch.setattr(session, "commit_transaction", deaf)
        await transaction.commit()

    async with store.transaction() as transaction:
        await transaction.write([new("ana")])
        await commit_and_hear_nothing(transaction)
    assert sent == lost + 1
    sent, lost = 0, 1000
    monkeypatch.setattr(mongo_transaction, "COMMIT_DEADLINE", 0.5)
    async with store.transaction() as transaction:
        await transaction.write([newer("ana", 1)])
        with pytest.raises(OutcomeUnknown):
            await commit_and_hear_nothing(transaction)
    assert 1 < sent < lost
    assert await store.get("people", "ana") == {"_id": "ana", "version": 2}


@pytest.mark.parametrize("at_once", [False, True])
async def test_a_caller_that_goes_away_while_its_write_is_under_way_leaves_nothing_and_no_lock(
    store: MongoStore, witness: MongoStore, wire: Proxy, *, at_once: bool
) -> None:
    """An abort that overtook the write would leave it open: locked for a minute."""
    await save(store, new("ana"))
    sent: list[str] = []

    async def caller() -> None:
        async with store.transaction() as transaction:
            if at_once:
                await transaction.commit([newer("ana", 1)], lambda: sent.append("ana"))
            else:
                await transaction.write([newer("ana", 1)])

    async def saved() -> bool:
        try:
            await save(witness, newer("ana", 1))
        except Conflict:
            return False
        return True

    async with wire.holding():
        await leave(caller(), wire)
    await until(saved, within=5)
    assert sent == []


async def test_a_caller_that_goes_away_while_its_commit_is_under_way_was_told_that_it_is(
    store: MongoStore, witness: MongoStore, wire: Proxy
) -> None:
    sent: list[str] = []
    async with store.transaction() as transaction:
        await transaction.write([new("ana")])
        async with wire.holding():
            await leave(transaction.commit(sent=lambda: sent.append("ana")), wire)
            assert "ana" in sent
    await until(lambda: witness.get("people", "ana"), within=5)


async def leave(work: Coroutine[Any, Any, None], wire: Proxy) -> None:
    """Begin it, and go away once the wire holds what it asks."""

    async def looked() -> int:
        return wire.held

    task = asyncio.create_task(work)
    await until(looked)
    task.cancel()
    await asyncio.wait({task})


async def test_a_frozen_server_is_unavailable_and_does_not_hold_up_the_stop(
    store: MongoStore, wire: Proxy
) -> None:
    await store.time()
    wire.is_frozen = True
    asking = asyncio.create_task(store.get("people", "ana"))
    await asyncio.sleep(0)
    started = time.monotonic()
    await store.close()
    assert time.monotonic() - started < 3
    with pytest.raises(StoreUnavailable):
        await asking


async def test_a_killed_server_is_unavailable_in_seconds_and_then_goes_on(
    servers: Servers, witness: MongoStore
) -> None:
    await save(witness, new("ana"))
    async with witness.transaction() as transaction:
        await transaction.write([new("eva")])
        await asyncio.to_thread(servers.kill_mongo)
        started = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await transaction.load({"people": ["ana"]})
        with pytest.raises(StoreUnavailable):
            await save(witness, new("zoe"))
        assert time.monotonic() - started < 8
    await asyncio.to_thread(servers.start_mongo)

    async def saved() -> bool:
        try:
            await save(witness, newer("ana", 1))
        except StoreUnavailable:
            return False
        return True

    await until(saved)
    assert await witness.count("people", {}, None) == 1


async def test_a_stop_with_the_server_gone_takes_moments(servers: Servers, database: str) -> None:
    store = MongoStore(servers.mongo, database)
    await save(store, new("ana"))
    await asyncio.to_thread(servers.kill_mongo)
    try:
        started = time.monotonic()
        await store.close()
        assert time.monotonic() - started < 3
    finally:
        await asyncio.to_thread(servers.start_mongo)


async def test_a_snapshot_that_is_older_than_a_collection_is_taken_again(store: MongoStore) -> None:
    await save(store, new("ana"))
    async with store.snapshot() as snapshot:
        await snapshot.load({"people": ["ana"]})
        await store.ensure(["later"], [])
        await save(store, new("eva", "later"))
        with pytest.raises(Conflict, match="OperationFailure"):
            await snapshot.load({"later": ["eva"]})
    async with store.snapshot() as snapshot:
        assert "eva" in (await snapshot.load({"later": ["eva"]}))["later"]


async def test_the_end_of_a_snapshot_fails_nobody(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await save(store, new("ana"))

    def fail(_: ClientSession) -> None:
        raise ExecutionTimeout("too late")

    async with store.snapshot() as snapshot:
        found = await snapshot.load({"people": ["ana"]})
        monkeypatch.setattr(ClientSession, "end_session", fail)
    assert "ana" in found["people"]
