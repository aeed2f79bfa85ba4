"""A backfill that is ordered while an older release still reads waits for it to end."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.chassis import backfill, parking
from shared.chassis.envelope import encode
from shared.chassis.handled import Handled
from shared.chassis.memory import MemoryBus
from shared.chassis.ports import Record, StoreError
from tests.integration.core_suite import LENT, CoreSuite, chain
from tests.integration.repair_suite import Lent, order
from tests.support import mini
from tests.support.app import Running, running
from tests.support.wait import until
from tests.unit.chassis.test_contention import rival
from tests.unit.chassis.test_core import Ticking

KEYS = ("ana", "eva", "zoe", "gil")
IN_ONE_PARTITION = (("ana", 1), ("gil", 5))


async def state(reader: Running) -> str:
    """Of the one backfill that there is."""
    (job,) = (await reader.json("/operations/reader/backfill"))["items"]
    return str(job["state"])


async def let_go_by(folder: Path, store: Ticking, bus: MemoryBus, *numbers: int) -> None:
    """A release without the handler passes these of every key; both servers outlive it."""
    lent: tuple[Any, Any] = (Lent(store), Lent(bus))
    async with running(mini.DEAF, folder / "keys", *lent) as deaf:
        await CoreSuite.send(bus, *[encode(one) for key in KEYS for one in chain(key, *numbers)])
        passed = {"shelf": len(KEYS) * len(numbers)}
        await until(lambda: deaf.json("/operations/reader"), lambda seen: seen["applied"] == passed)


async def test_a_backfill_waits_until_the_older_release_reads_nothing_any_more(
    tmp_path: Path,
) -> None:
    store, bus = Ticking(), MemoryBus()
    lent: tuple[Any, Any] = (Lent(store), Lent(bus))
    async with AsyncExitStack() as both:
        deaf = await both.enter_async_context(running(mini.DEAF, tmp_path / "keys", *lent))
        await CoreSuite.send(bus, *[encode(one) for key in KEYS for one in chain(key, 1, 2)])
        await until(
            lambda: deaf.json("/operations/reader"), lambda seen: seen["applied"] == {"shelf": 8}
        )
        reader = await both.enter_async_context(running(mini.READER, tmp_path / "keys", store, bus))
        ordered = await order(reader, "reader/backfill", type=LENT)
        assert ordered.json()["state"] == "waiting"
        await reader.runtime.backfills.look()
        assert await state(reader) == "waiting"
        twice = await order(reader, "reader/backfill", type=LENT)
        assert twice.json()["code"] == "backfill-running"
        deaf.runtime.intake.stop()
        places = list(await bus.ends("telar.shelf"))
        await until(lambda: reader.runtime.handled.everywhere(LENT, places))
        await deaf.runtime.backfills.look()
        await until(lambda: state(reader), lambda seen: seen == "done")
        for key in KEYS:
            await CoreSuite.card(reader, key, [1, 2])


async def test_what_a_backfill_failed_over_is_made_up_for_once_the_handler_is_mended(
    tmp_path: Path,
) -> None:
    store, bus = Ticking(), MemoryBus()
    await let_go_by(tmp_path, store, bus, 1, 13, 2)
    mini.poison.add(13)
    async with running(mini.READER, tmp_path / "keys", store, bus) as reader:
        job = await filled(reader)
        code = "ZeroDivisionError"
        named = [{"key": key, "sequence": 2, "code": code} for key in sorted(KEYS)]
        assert sorted(job["failures"], key=lambda one: str(one["key"])) == named
        assert (job["events"], job["applied"]) == (12, 8)
        mini.poison.clear()
        job = await filled(reader)
        assert (job["events"], job["applied"], job["failures"]) == (12, 4, [])
        for key in KEYS:
            await CoreSuite.card(reader, key, [1, 2, 13])
        job = await filled(reader)
        assert (job["events"], job["applied"], job["failures"]) == (0, 0, [])


async def test_a_state_that_cannot_be_read_is_named_and_holds_up_nothing_else(
    tmp_path: Path,
) -> None:
    store, bus = Ticking(), MemoryBus()
    await let_go_by(tmp_path, store, bus, 1, 2)
    ill, *well = KEYS
    store.apply({("cards", ill): {"_id": ill, "version": 1, "books": -1}})
    async with running(mini.READER, tmp_path / "keys", store, bus) as reader:
        job = await filled(reader)
        assert {(one["key"], one["code"]) for one in job["failures"]} == {(ill, "StateUnreadable")}
        assert (job["events"], job["applied"]) == (2 * len(KEYS), 2 * len(well))
        for key in well:
            await CoreSuite.card(reader, key, [1, 2])


async def test_of_one_key_nothing_is_filled_before_what_comes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, bus = Ticking(), MemoryBus()
    await let_go_by(tmp_path, store, bus, 1, 2, 3)
    async with running(mini.READER, tmp_path / "keys", store, bus) as reader:
        queue = reader.runtime.writer._queue
        monkeypatch.setattr(backfill, "CLAIM", timedelta(seconds=1))  # then it is tried again
        monkeypatch.setattr(queue, "most", 4)  # a key's events would go in several batches
        await until(lambda: marked(store))
        assert (await order(reader, "reader/backfill", type=LENT)).status_code == 200
        store.faults.fail_next("write", StoreError)
        await until(lambda: state(reader), lambda seen: seen == "done")
        for key in KEYS:
            await CoreSuite.card(reader, key, [1, 2, 3])


async def test_what_comes_while_it_is_read_is_not_applied_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, bus, late = Ticking(), MemoryBus(), ("lia", "mia", "noa", "pia")
    await let_go_by(tmp_path, store, bus, 1)
    async with running(mini.READER, tmp_path / "keys", store, bus) as reader:
        await until(lambda: marked(store))
        plain = bus.scan

        async def scan(*asked: Any) -> AsyncGenerator[list[Record], None]:
            for key in late:  # between the question for the ends and the first page
                await CoreSuite.send(bus, encode(chain(key, 5)[0]))
                await CoreSuite.card(reader, key, [5])
            async for page in plain(*asked):
                yield page

        monkeypatch.setattr(bus, "scan", scan)
        await filled(reader)
        for key in late:
            await CoreSuite.card(reader, key, [5])


async def filled(reader: Running) -> dict[str, Any]:
    """What a backfill that is ordered now came to."""
    assert (await order(reader, "reader/backfill", type=LENT)).status_code == 200
    await until(lambda: state(reader), lambda seen: seen == "done")
    (job,) = (await reader.json("/operations/reader/backfill"))["items"]
    return dict(job)


@pytest.mark.parametrize("in_time", [True, False], ids=["marked-in-time", "never-marked"])
async def test_what_was_missed_in_a_topic_that_was_made_anew_is_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_time: bool
) -> None:
    """Nor where each process died before it noted what stands at the ends."""

    def forgets(*_: object) -> None:
        """In place of what it remembers to note."""

    if not in_time:
        monkeypatch.setattr(Handled, "_remember", forgets)
    store, old, new = Ticking(), MemoryBus(), MemoryBus()
    kept: Any = Lent(store)
    topic: Any = Lent(old)
    ana = [encode(one) for one in chain("ana", 1, 2, 3)]
    async with running(mini.DEAF, tmp_path / "keys", kept, topic) as deaf:
        await CoreSuite.send(old, *ana[:2], *ana[:2])
        await until(
            lambda: deaf.json("/operations/reader"), lambda seen: seen["applied"] == {"shelf": 2}
        )
    old.faults.come_back()
    async with running(mini.READER, tmp_path / "keys", kept, topic) as reader:
        await CoreSuite.send(old, ana[2])
        await CoreSuite.card(reader, "ana", [3])
        if in_time:
            await until(lambda: marked(kept))
    await new.ensure({"telar.shelf": 2, "telar.control": 1})
    await CoreSuite.send(new, *ana)  # without the doubles, and so at other offsets
    async with running(mini.READER, tmp_path / "keys", store, new) as reader:
        for _ in "12":
            job = await filled(reader)
            await CoreSuite.card(reader, "ana", [3])
            (failure,) = job["failures"]
            assert (failure["code"], failure["sequence"]) == ("backfill-topic-anew", 4)
            assert failure["key"] in ("telar.shelf/0", "telar.shelf/1")
            assert (job["events"], job["applied"]) == (0, 0)


async def test_what_a_topic_made_anew_brings_to_a_release_without_the_handler_is_not_guessed(
    tmp_path: Path,
) -> None:
    """It was shorter than what was read of the old one, and is longer by now."""
    store, old, new = Ticking(), MemoryBus(), MemoryBus()
    kept: Any = Lent(store)
    anew: Any = Lent(new)
    ana = [encode(one) for one in chain("ana", 1, 2, 3, 4)]
    async with running(mini.READER, tmp_path / "keys", kept, old):
        await CoreSuite.send(old, *ana[:2], *ana[:2])
        await until(lambda: read_to(kept, 4))
    await new.ensure({"telar.shelf": 2, "telar.control": 1})
    await CoreSuite.send(new, *ana[:2])
    async with running(mini.DEAF, tmp_path / "keys", kept, anew) as deaf:
        await CoreSuite.send(new, ana[2])
        await until(lambda: position(deaf), lambda at: at == 3)
    new.faults.come_back()
    await CoreSuite.send(new, ana[3], ana[3])
    async with running(mini.READER, tmp_path / "keys", store, new) as reader:
        await CoreSuite.card(reader, "ana", [1, 2, 4])
        job = await filled(reader)
        assert [one["code"] for one in job["failures"]] == ["backfill-topic-anew"]
        assert (job["events"], job["applied"]) == (0, 0)


async def read_to(store: Any, offset: int) -> bool:
    """Whether a partition is written so far."""
    there = await store.some("offsets", ["telar.shelf/0", "telar.shelf/1"])
    return any(one["next"] == offset for one in there.values())


async def marked(store: Any) -> bool:
    """Whether it was noted what stands where the missed stretch ends."""
    known = await store.some("handled", ["telar.shelf/0", "telar.shelf/1"])
    missed = [one for document in known.values() for one in document["missed"]]
    return any(one["type"] == LENT and "marks" in one for one in missed)


async def test_what_was_held_across_the_release_is_not_made_up_for_once_it_had_its_effect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "HELD_EVENTS", 2)  # so the fourth is let go of, and sent again
    store, bus = Ticking(), MemoryBus()
    lent: tuple[Any, Any] = (Lent(store), Lent(bus))
    one, two, three, four = map(encode, chain("ana", 1, 2, 3, 4))
    five = encode(chain("ana", 1, 2, 3, 4, 5)[-1])
    async with running(mini.DEAF, tmp_path / "keys", *lent) as deaf:
        await CoreSuite.send(bus, one, three, four, five)
        await until(
            lambda: CoreSuite.parked(deaf), lambda held: [row["known"] for row in held] == [5]
        )
    async with running(mini.READER, tmp_path / "keys", store, bus) as reader:
        await until(lambda: marked(store))
        await CoreSuite.send(bus, two)
        await CoreSuite.card(reader, "ana", [2, 3])
        await CoreSuite.send(bus, four, five)
        await CoreSuite.card(reader, "ana", [2, 3, 4, 5])
        await filled(reader)
        await CoreSuite.card(reader, "ana", [2, 3, 4, 5, 1])


async def test_a_copy_of_what_was_handled_before_a_release_without_the_handler_is_not_missed(
    tmp_path: Path,
) -> None:
    store, bus = Ticking(), MemoryBus()
    lent: tuple[Any, Any] = (Lent(store), Lent(bus))
    one, two, three = map(encode, chain("ana", 1, 2, 3))
    async with running(mini.READER, tmp_path / "keys", *lent) as reader:
        await CoreSuite.send(bus, one, two)
        await CoreSuite.card(reader, "ana", [1, 2])
    async with running(mini.DEAF, tmp_path / "keys", *lent) as deaf:
        await CoreSuite.send(bus, two, three)
        await until(lambda: position(deaf), lambda at: at == 3)
    async with running(mini.READER, tmp_path / "keys", store, bus) as reader:
        job = await filled(reader)
        await CoreSuite.card(reader, "ana", [1, 2, 3])
        assert (job["events"], job["applied"], job["failures"]) == (1, 1, [])


async def position(service: Running) -> int:
    """How far the topic was applied, of all its keys together."""
    applied = (await service.json("/operations/reader"))["applied"]
    return int(applied.get("shelf", 0))


async def test_what_was_applied_while_an_earlier_record_had_to_wait_is_missed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, bus = Ticking(), MemoryBus()
    await dies_with_ana_waiting(mini.DEAF, tmp_path, store, bus, monkeypatch)
    async with running(mini.READER, tmp_path / "keys", store, bus) as reader:
        await CoreSuite.card(reader, "ana", [1])
        job = await filled(reader)
        assert (job["events"], job["applied"]) == (1, 1)
        await CoreSuite.card(reader, "ana", [1])
        await CoreSuite.card(reader, "gil", [5])


async def test_what_had_its_effect_while_an_earlier_record_had_to_wait_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, bus = Ticking(), MemoryBus()
    await dies_with_ana_waiting(mini.READER, tmp_path, store, bus, monkeypatch)
    lent: tuple[Any, Any] = (Lent(store), Lent(bus))
    async with running(mini.DEAF, tmp_path / "keys", *lent) as deaf:
        await until(lambda: position(deaf), lambda at: at == 2)
    async with running(mini.READER, tmp_path / "keys", store, bus) as reader:
        job = await filled(reader)
        assert (job["events"], job["applied"]) == (1, 1)
        await CoreSuite.card(reader, "ana", [1])
        await CoreSuite.card(reader, "gil", [5])


async def dies_with_ana_waiting(
    service: Any, folder: Path, store: Ticking, bus: MemoryBus, patch: pytest.MonkeyPatch
) -> None:
    """One partition has an event of ana, then one of gil; only gil's is applied."""
    await bus.ensure({"telar.shelf": 2, "telar.control": 1})
    lent: tuple[Any, Any] = (Lent(store), Lent(bus))
    async with rival(store, "streams", "ana"):
        with patch.context() as quick:
            quick.setattr("shared.chassis.writer.PATIENCE", 1.0)
            async with running(service, folder / "keys", *lent) as dying:
                await CoreSuite.send(bus, *[encode(chain(*one)[0]) for one in IN_ONE_PARTITION])
                await until(lambda: position(dying), lambda at: at == 1)
            await dying.runtime.intake._drop(1.0)  # the group has put it out by now
