"""Builds that another replica takes over, and what the first one does when it wakes."""

import asyncio
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.gateway import compare, generations, rebuild
from services.gateway.generations import Generations
from services.gateway.rebuild import Builder, Failed
from shared.chassis.memory.store import MemoryStore
from shared.chassis.ports import Document
from shared.chassis.runtime import Runtime
from tests.support.callers import TickingStore
from tests.support.wait import until
from tests.unit.gateway.replicas import COMPARE, SWAP, Place, counted


async def test_a_long_look_at_every_key_is_no_silence(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "SILENT", timedelta(seconds=0.5))
    monkeypatch.setattr(rebuild, "BEAT", 0.05)
    monkeypatch.setattr(rebuild, "MOST_REST", 0.1)
    monkeypatch.setattr(compare, "_PAGE", 1)
    page = MemoryStore.page

    async def slow(store: MemoryStore, collection: str, *args: Any, **kwargs: Any) -> Any:
        if collection == "streams":
            await asyncio.sleep(0.1)
        return await page(store, collection, *args, **kwargs)

    async with AsyncExitStack() as stack:
        one, _ = [await stack.enter_async_context(place.process()) for _ in "12"]
        names = [f"w{number:02}" for number in range(12)]
        await place.women(*names)
        await counted(one, len(names))
        monkeypatch.setattr(MemoryStore, "page", slow)
        await one.order(SWAP)
        assert (await one.built("swapped", "failed"))["state"] == "swapped"


async def test_what_was_given_up_never_becomes_live(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first stands still where it only had to swap; the second gives the build up."""
    monkeypatch.setattr(rebuild, "SILENT", timedelta(seconds=0.2))
    caught_up, gate, came = Builder._catch_up, asyncio.Event(), list[Builder]()

    async def stand_still(builder: Builder, new: Runtime, live: Runtime) -> None:
        came.append(builder)
        if len(came) > 1:
            raise Failed("rebuild-behind")
        await caught_up(builder, new, live)
        await gate.wait()

    monkeypatch.setattr(Builder, "_catch_up", stand_still)
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(place.process()) for _ in "12"]
        await place.women("ana", "bea")
        await counted(one, 2)
        await one.order(SWAP)
        assert (await one.built("failed", "swapped"))["state"] == "failed"
        gate.set()
        task = came[0]._task
        assert task is not None
        await asyncio.wait([task])
        await place.women("eva")
        for process in (one, two):
            await counted(process, 3)
            assert process.group == "gateway"
        assert not any(place.stores[1].data.values())


async def test_who_does_not_know_the_time_clears_nothing_away(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of its machine is five minutes ahead of the database's."""

    async def not_yet(*_: object) -> None:
        """It is left as it is."""

    monkeypatch.setattr(generations, "GRACE", timedelta(minutes=-4))
    monkeypatch.setattr(Generations, "_clear_away", not_yet)
    async with place.process() as process:
        await place.women("ana")
        await counted(process, 1)
        await process.order(SWAP)
        await process.built("swapped")
    monkeypatch.undo()
    time = TickingStore.time

    async def behind(store: TickingStore) -> datetime:
        return await time(store) - timedelta(minutes=5)

    monkeypatch.setattr(TickingStore, "time", behind)
    monkeypatch.setattr(generations, "GLANCE", 0.02)
    gate = asyncio.Event()
    place.stores[1].faults.meanwhile("ensure", gate.wait)
    looks = place.stores[0].faults.calls["get"]

    async def looked() -> int:
        return place.stores[0].faults.calls["get"] - looks

    async with place.starting():
        await until(looked, lambda many: many > 3)
        assert place.stores[0].all("people")
        gate.set()


async def test_of_what_differs_the_first_are_kept(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "SHOWN", 2)
    async with place.process() as process:
        await place.women("ana", "bea", "eva")
        await counted(process, 3)
        people = place.stores[0].data["people"]
        place.stores[0].apply(
            {("people", name): one | {"counts": {"registered": 7}} for name, one in people.items()}
        )
        kept = list[int]()
        outcome = compare.Comparison.outcome

        def counted_outcome(comparison: compare.Comparison) -> Document:
            kept.append(len(comparison.differences))
            return outcome(comparison)

        monkeypatch.setattr(compare.Comparison, "outcome", counted_outcome)
        await process.order(COMPARE)
        seen = await process.built("compared")
        assert [one["id"] for one in seen["differences"]] == ["ana", "bea"]
        assert kept == [2]
