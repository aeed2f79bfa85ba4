"""The main job on the whole platform, also while its processes and servers are killed."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from deploy.local.platform import Platform
from deploy.local.services import names
from tests.e2e.demo import run_demo
from tests.e2e.outside import Outside, violations
from tests.support.wait import until

SERVICES = names()


async def all_hold(outside: Outside) -> None:
    """Every invariant, read from outside, of things that are there."""
    assert await violations(outside) == []
    assert outside.silent() == []
    assert outside.collection("grants", "pools")
    assert outside.collection("training", "certificates")


async def during_a_demo(
    platform: Platform, outside: Outside, *faults: Callable[[], Awaitable[None]]
) -> None:
    """Make each fault once a running demo has done more, then let it end, and look."""
    job = asyncio.create_task(run_demo(platform.folders.root, women=40, patience=240))
    try:
        for fault in faults:
            before = published(outside)
            await until(
                lambda: asyncio.to_thread(published, outside),
                lambda now, before=before: now > before + 20,
                within=60,
            )
            await fault()
    finally:
        ran = await job
    assert ran.code == 0, ran.said
    await all_hold(outside)


def published(outside: Outside) -> int:
    """How many numbers the publishers gave so far."""
    streams = (one for name in SERVICES for one in outside.collection(name, "streams"))
    return sum(place[0] for stream in streams for place in stream["out"].values())


async def test_after_two_demos_every_invariant_holds_as_seen_from_outside(
    platform: Platform, outside: Outside
) -> None:
    first = await run_demo(platform.folders.root, women=40)
    assert first.code == 0, first.said
    before = {one["_id"]: one for one in outside.collection("enrollment", "enrolments")}
    second = await run_demo(platform.folders.root, women=40)
    assert second.code == 0, second.said
    after = {one["_id"]: one for one in outside.collection("enrollment", "enrolments")}
    assert len(after) == len(before) + 40 >= 80
    assert {name: after[name] for name in before} == before
    await all_hold(outside)


@pytest.mark.timeout(300)
async def test_killing_each_service_in_turn_costs_nothing(
    platform: Platform, outside: Outside
) -> None:
    def kill(name: str) -> Callable[[], Awaitable[None]]:
        async def fault() -> None:
            platform.kill(name)
            await asyncio.to_thread(platform.wait_ready)

        return fault

    before = [platform.restarts(name) for name in SERVICES]
    await during_a_demo(platform, outside, *[kill(name) for name in SERVICES])
    assert [platform.restarts(name) for name in SERVICES] == [count + 1 for count in before]


@pytest.mark.timeout(300)
async def test_kafka_away_and_a_killed_mongod_cost_nothing(
    platform: Platform, outside: Outside
) -> None:
    async def kafka_away() -> None:
        await asyncio.to_thread(platform.hold, "kafka")
        await asyncio.sleep(AWAY)  # the fault itself: an outage of this length
        await asyncio.to_thread(platform.release, "kafka")
        await asyncio.to_thread(platform.wait_ready)

    async def mongo_killed() -> None:
        platform.kill("mongo")
        await asyncio.to_thread(platform.wait_ready)

    await during_a_demo(platform, outside, kafka_away, mongo_killed)


AWAY = 20.0
"""Seconds without Kafka under load."""
