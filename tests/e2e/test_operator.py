"""Damage done with plain clients: verify names it, the command that it names mends it."""

import asyncio
import json
import shlex
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from pymongo import MongoClient

from deploy.local.plan import Plan
from deploy.local.platform import Platform
from deploy.local.services import answers, is_restored
from shared.chassis.heads import RECENT
from tests.e2e.api import Api
from tests.e2e.commands import run, telar
from tests.e2e.scenes import Programme, Woman
from tests.support.wait import until

Document = dict[str, Any]
Finding = dict[str, str]

PLACE_THAT_NEVER_WAS: dict[str, Any] = {
    "$set": {"certified": [], "places": ["ghost"]},
    "$inc": {"version": 1},
}
"""Her dossier as no rule would write it: with it, her certificate cannot be applied."""

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
"""An instant put here is past: what waits for it need not be waited for."""


@dataclass
class Operator:
    """Somebody at a terminal, with plain clients for doing damage."""

    platform: Platform
    mongo: MongoClient[Document]

    async def telar(self, *words: str) -> tuple[int, str]:
        """Exit code, and what was printed."""
        return await telar(self.platform.folders.root, *words)

    async def verify(self, *, views: bool = False) -> list[Finding]:
        """What differs."""
        wanted = () if views else ("--no-views",)
        code, out = await self.telar("verify", "--json", *wanted)
        told = json.loads(out)
        assert code == (1 if told["findings"] else 0), out
        findings: list[Finding] = told["findings"]
        return findings

    async def finds(self, *codes: str, views: bool = False) -> list[Finding]:
        """Verify finds exactly these."""
        found = await self.verify(views=views)
        assert sorted(one["code"] for one in found) == sorted(codes), found
        return found

    async def mends(self, finding: Finding) -> str:
        """Run the command as it is named."""
        words = shlex.split(finding["mend"])
        assert Path(words[0]).name == "telar", finding
        code, out = await run(*words)
        assert code == 0, (words, out)
        return out

    def collection(self, service: str, name: str) -> Any:
        """Of the gateway, the live generation's."""
        database = f"telar_{service}"
        live = self.mongo[database]["generations"].find_one({"_id": "live"})
        if live is not None and live["generation"]:
            database = f"{database}_{live['generation']}"
        return self.mongo[database][name]

    async def position(self, service: str, topic: str, key: str) -> int:
        found = await asyncio.to_thread(self.collection(service, "streams").find_one, {"_id": key})
        return int(found["in"].get(topic, (0,))[0]) if found else 0

    def event(self, service: str, key: str, sequence: int) -> Document:
        """An event as it stands in the outbox."""
        match = {"key": key, "sequence": sequence}
        found = self.collection(service, "outbox").find_one({"events": {"$elemMatch": match}})
        return next(one for one in found["events"] if match.items() <= one.items())

    def head(self, service: str, key: str) -> int:
        return int(self.collection(service, "streams").find_one({"_id": key})["out"][service][0])

    def rewind(self, service: str, topic: str, key: str) -> int:
        """A consumer forgets the last event of a key; its number."""
        last = self.head(topic, key)
        place = [last - 1, self.event(topic, key, last)["previous"]]
        change = {"$set": {f"in.{topic}": place}, "$inc": {"version": 1}}
        self.collection(service, "streams").update_one({"_id": key}, change)
        return last


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Its own: here databases are damaged and views change their place."""
    plan = Plan(first_port=None, throw_away=True)
    with Platform(tmp_path_factory.mktemp("operator"), plan) as started:
        yield started


@pytest.fixture
def operator(platform: Platform) -> Iterator[Operator]:
    with MongoClient[Document](platform.mongo, tz_aware=True) as client:
        yield Operator(platform, client)


@pytest.fixture
async def ana(api: Api, operator: Operator) -> AsyncIterator[Woman]:
    """A small programme and a woman with a certificate; at the end of a test all holds again."""
    programme = await Programme(api).publish()
    woman = await programme.woman()
    await woman.ask_seat()
    await woman.complete()
    for name in ("grants", "trade", "gateway"):
        head = operator.head("training", woman.id)
        await until(
            lambda name=name: operator.position(name, "training", woman.id),
            lambda seen, head=head: seen >= head,
        )
    yield woman
    await operator.finds()


@pytest.mark.timeout(240)
async def test_what_a_consumer_lost_is_sent_again(operator: Operator, ana: Woman) -> None:
    fair = ana.programme.fair_id
    last = operator.rewind("gateway", "trade", fair)
    [found] = await operator.finds("behind")
    assert (found["service"], found["topic"], found["key"]) == ("gateway", "trade", fair)
    await operator.mends(found)
    await until(lambda: operator.position("gateway", "trade", fair), lambda seen: seen == last)


@pytest.mark.timeout(240)
async def test_a_fork_is_shown_and_ended(operator: Operator, ana: Woman) -> None:
    fair = ana.programme.fair_id
    last = operator.head("trade", fair)
    change = {"$set": {"in.trade.1": "f" * 64}, "$inc": {"version": 1}}
    operator.collection("gateway", "streams").update_one({"_id": fair}, change)
    await operator.mends((await operator.finds("fork"))[0])

    async def parked() -> list[Document]:
        return json.loads((await operator.telar("parked", "list", "gateway", "--json"))[1])

    [waits] = await until(parked, bool)
    assert (waits["reason"], waits["key"]) == ("fork", fair)
    named = ("--topic", "trade", "--key", fair, "--reason", "wrong guess")
    code, told = await operator.telar("adopt", "fork", "gateway", *named, "--branch", "kept")
    assert code == 0, told

    async def mends() -> list[str]:
        return [one["mend"] for one in await operator.verify()]

    async def mends_later() -> list[str]:
        duties = operator.collection("trade", "duties")
        duties.update_one({"_id": RECENT}, {"$set": {"at": LONG_AGO}})
        return await mends()

    # Once a minute the publisher says where its quiet streams stand: the other event comes back.
    [mend] = await until(mends_later, lambda seen: "telar resend" in "".join(seen), within=90)
    await operator.mends({"mend": mend})
    end = f"--branch arrived --from {last}"
    [mend] = await until(mends, lambda seen: end in "".join(seen), within=60)
    await operator.mends({"mend": mend})
    await until(parked, lambda seen: not seen, within=60)
    assert await operator.position("gateway", "trade", fair) == last


@pytest.mark.timeout(240)
async def test_a_key_whose_handler_failed_is_tried_again(operator: Operator, ana: Woman) -> None:
    _, whole = await _fail(operator, ana)
    words = ("--topic", "training", "--key", ana.id)
    code, told = await operator.telar("parked", "retry", "trade", *words, "--reason", "too early")
    assert (code, "failed" in told) == (1, True), told
    # As after its last attempt, two minutes later: nothing comes by itself any more.
    last_attempt = {"$set": {"reason": "dead"}, "$unset": {"next_attempt": ""}}
    operator.collection("trade", "parked").update_one({"key": ana.id}, last_attempt)
    [found] = await operator.finds("parked")
    retry = f"telar parked retry trade --topic training --key={ana.id} --reason "
    assert retry in found["mend"]
    _restore(operator, whole)
    assert "released" in await operator.mends(found)


async def _fail(operator: Operator, woman: Woman) -> tuple[int, Document]:
    """Trade cannot apply her last certificate: its number, and her dossier before the damage."""
    readiness = operator.collection("trade", "readiness")
    whole: Document = readiness.find_one({"_id": woman.id})
    readiness.update_one({"_id": woman.id}, PLACE_THAT_NEVER_WAS)
    last = operator.rewind("trade", "training", woman.id)
    words = ("--topic", "training", "--key", woman.id)
    await operator.telar("resend", *words, "--from", str(last), "--reason", "damage")
    await until(lambda: _reasons(operator, "trade"), lambda seen: bool({"failed", "dead"} & seen))
    return last, whole


def _restore(operator: Operator, whole: Document) -> None:
    mended = {**whole, "version": whole["version"] + 2}
    operator.collection("trade", "readiness").replace_one({"_id": whole["_id"]}, mended)


async def _reasons(operator: Operator, service: str) -> set[str]:
    found = operator.collection(service, "parked")
    return set(await asyncio.to_thread(found.distinct, "reason"))


@pytest.mark.timeout(240)
async def test_an_event_that_cannot_be_applied_is_skipped(operator: Operator, ana: Woman) -> None:
    last, whole = await _fail(operator, ana)
    words = ("--topic", "training", "--key", ana.id)
    skip = ("parked", "skip", "trade", *words, "--reason", "never again", "--number")
    assert (await operator.telar(*skip, str(last + 1)))[0] == 1
    code, told = await operator.telar(*skip, str(last))
    assert (code, "released" in told) == (0, True), told
    _restore(operator, whole)


@pytest.mark.timeout(240)
async def test_what_kafka_lost_is_sent_again(operator: Operator, ana: Woman) -> None:
    await _delete_all_records(operator.platform.kafka, "telar.trade")
    await ana.ask_place()  # what comes later stands: the beginning of her stream is lacking
    found = await operator.verify()
    assert {one["code"] for one in found} == {"not-in-kafka"}
    for one in found:
        await operator.mends(one)


async def _delete_all_records(kafka: str, topic: str) -> None:
    async with AIOKafkaConsumer(topic, bootstrap_servers=kafka) as consumer:
        ends = await consumer.end_offsets(list(consumer.assignment()))
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    wanted = {place: RecordsToDelete(before_offset=end) for place, end in ends.items() if end}
    await admin.delete_records(wanted)
    await admin.close()


@pytest.mark.timeout(240)
async def test_views_that_differ_are_made_anew(operator: Operator, ana: Woman) -> None:
    order = operator.telar("rebuild", "--reason", "with traffic", "--json")
    (code, told), _ = await asyncio.gather(order, ana.programme.women(3))
    assert code == 0, told
    number = json.loads(told)["generation"]
    people = operator.collection("gateway", "people")
    people.update_one({"_id": ana.id}, {"$set": {"counts": {}}, "$inc": {"version": 1}})
    [found] = await operator.finds("view-differs", views=True)
    assert (found["key"], found["detail"]) == (ana.id, "people: counts")

    async def left() -> list[str]:
        names = await asyncio.to_thread(operator.mongo.list_database_names)
        return [name for name in names if name == f"telar_gateway_{number}"]

    await operator.mends(found)
    assert await operator.finds(views=True) == []
    assert await left() != []
    over = {"$set": {"left.$[].drop_at": LONG_AGO}, "$inc": {"version": 1}}  # as a minute later
    operator.mongo["telar_gateway"]["generations"].update_one({"_id": "live"}, over)
    await until(left, lambda names: not names, within=30)


@pytest.mark.timeout(240)
async def test_money_and_a_log_that_are_wrong_are_named(operator: Operator, ana: Woman) -> None:
    pools, pool_id = operator.collection("grants", "pools"), ana.programme.pool_id
    pools.update_one({"_id": pool_id}, {"$inc": {"balances.available": 1}})
    outbox = operator.collection("training", "outbox")
    broken = outbox.find_one({"events.key": ana.id})
    outbox.delete_one({"_id": broken["_id"]})
    found = {one["code"]: one for one in await operator.verify()}
    assert found["sum-wrong"]["key"] == pool_id
    assert found["log-wrong"]["key"] == ana.id
    pools.update_one({"_id": pool_id}, {"$inc": {"balances.available": -1}})
    outbox.insert_one(broken)


@pytest.mark.timeout(240)
async def test_rubbish_is_set_aside_and_shown_without_its_value(
    operator: Operator, ana: Woman
) -> None:
    async with AIOKafkaProducer(bootstrap_servers=operator.platform.kafka) as producer:
        await producer.send_and_wait("telar.trade", b"secret", b"nobody")

    async def listed() -> list[Document]:
        return json.loads((await operator.telar("quarantine", "list", "gateway", "--json"))[1])

    [record] = await until(listed, bool)
    code, shown = await operator.telar("quarantine", "show", "gateway", record["id"])
    assert (code, "nobody" in shown, "secret" in shown) == (0, True, False)


@pytest.mark.timeout(240)
async def test_a_publisher_restored_from_an_old_backup_goes_on_behind_its_topic(
    operator: Operator, ana: Woman, platform: Platform
) -> None:
    trade = operator.mongo["telar_trade"]
    old = {name: list(trade[name].find()) for name in trade.list_collection_names()}
    later = await Programme(ana.programme.api).publish()
    head = operator.head("trade", later.fair_id)
    await until(lambda: operator.position("gateway", "trade", later.fair_id), lambda at: at == head)
    await asyncio.to_thread(platform.hold, "trade")
    for name, documents in old.items():
        trade[name].delete_many({})
        if documents:
            trade[name].insert_many(documents)
    platform.start_again("trade")
    port = int(platform.urls("trade")[0].rpartition(":")[2])
    await until(lambda: asyncio.to_thread(is_restored, port), within=60)
    found = {one["code"]: one for one in await operator.verify()}
    for code in ("ahead", "kafka-ahead"):
        assert "telar adopt topic trade --reason " in found[code]["mend"]
    await operator.mends(found["kafka-ahead"])
    await until(lambda: asyncio.to_thread(answers, port, "/readyz"), within=60)
