"""A build that cannot be finished ends, and names what keeps it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count

import pytest

from services.gateway import compare, rebuild
from shared.chassis.ports import BusError
from tests.support.wait import until
from tests.unit.gateway.replicas import COMPARE, PATH, SWAP, Place, Process, counted


async def counted_and_lost(place: Place, process: Process, name: str) -> None:
    """The live views know her, and no topic holds her facts any more."""
    await place.women(name)
    await counted(process, 1)
    place.bus.logs = {where: [] for where in place.bus.logs}


async def test_what_cannot_catch_up_is_given_up_and_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "STUCK", 0.5)
    async with place.process() as process:
        await counted_and_lost(place, process, "ana")
        await process.order(SWAP)
        seen = await process.built("failed")
        assert seen["code"] == "rebuild-behind"
        assert {one["what"] for one in seen["differences"]} == {
            "enrollment at 0 of 1",
            "grants at 0 of 1",
        }
        assert process.group == "gateway"
        assert not any(place.stores[1].data.values())


async def test_while_kafka_is_away_nothing_is_given_up(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[str]()

    async def away(topic: str) -> dict[tuple[str, int], int]:
        asked.append(topic)
        raise BusError("away")

    monkeypatch.setattr(rebuild, "STUCK", 0.3)
    async with place.process() as process:
        await counted_and_lost(place, process, "ana")
        with monkeypatch.context() as outage:
            outage.setattr(place.bus, "ends", away)
            await process.order(SWAP)
            await until(lambda: asyncio.sleep(0, len(asked)), lambda looks: looks > 4)
            assert (await process.get(PATH))["state"] == "building"
        assert (await process.built("failed"))["code"] == "rebuild-behind"


@asynccontextmanager
async def traffic(place: Place) -> AsyncIterator[None]:
    """Another woman every few moments, until this is left."""

    async def publish() -> None:
        for number in count():
            await place.women(f"w{number:04}")
            await asyncio.sleep(0.02)

    publishing = asyncio.create_task(publish())
    try:
        yield
    finally:
        publishing.cancel()
        await asyncio.wait([publishing])


async def test_what_cannot_catch_up_is_given_up_whatever_else_happens(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "STUCK", 0.5)
    async with place.process() as process:
        await counted_and_lost(place, process, "zoe")
        async with traffic(place):
            await process.order(SWAP)
            seen = await process.built("failed")
        assert seen["code"] == "rebuild-behind"
        assert {(one["id"], one["what"]) for one in seen["differences"]} == {
            ("zoe", "enrollment at 0 of 1"),
            ("zoe", "grants at 0 of 1"),
        }
        assert not any(place.stores[1].data.values())


async def test_what_breaks_again_and_again_is_given_up_whatever_else_happens(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run(_: compare.Comparison) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(compare.Comparison, "run", run)
    monkeypatch.setattr(rebuild, "SILENT", timedelta(seconds=0.3))
    async with place.process() as process:
        await place.women("ana")
        await counted(process, 1)
        async with traffic(place):
            await process.order(COMPARE)
            seen = await process.built("failed")
        assert seen["code"] == "rebuild-broke"
