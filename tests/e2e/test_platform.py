"""The main job on the whole platform, also while its processes are killed."""

import asyncio
import itertools
from collections.abc import Callable

import pytest

from deploy.local.platform import Platform
from tests.e2e import outside
from tests.e2e.demo import run_demo
from tests.support.wait import until

SERVICES = ("enrollment", "training", "grants", "trade", "gateway")


async def test_a_programme_runs_and_every_invariant_holds(platform: Platform) -> None:
    ran = await run_demo(platform.folders.data, women=40)
    assert ran.code == 0, ran.said
    problems = await outside.violations(platform.mongo, platform.kafka)
    assert problems == []


async def test_a_second_programme_leaves_the_first_womens_records_alone(
    platform: Platform,
) -> None:
    before = await outside.documents(platform.mongo, "telar_enrollment", "persons")
    ran = await run_demo(platform.folders.data, women=20)
    assert ran.code == 0, ran.said
    after = await outside.documents(platform.mongo, "telar_enrollment", "persons")
    assert len(after) >= len(before) + 20
    assert {key: after[key] for key in before} == before


@pytest.mark.timeout(300)
async def test_killing_each_service_in_turn_costs_nothing(platform: Platform) -> None:
    job = asyncio.create_task(run_demo(platform.folders.data, women=60, patience=240))
    restarts = {name: platform.restarts(name) for name in SERVICES}
    try:
        for name in itertools.islice(SERVICES, len(SERVICES)):
            await _some_progress(platform)
            platform.kill(name)
            await until(_restarted(platform, name, restarts[name]), within=30)
    finally:
        ran = await job
    assert ran.code == 0, ran.said
    assert await outside.violations(platform.mongo, platform.kafka) == []


def _restarted(platform: Platform, name: str, before: int) -> Callable[[], asyncio.Future[bool]]:
    async def look() -> bool:
        return platform.restarts(name) > before and name in platform.pids()

    return lambda: asyncio.ensure_future(look())


async def _some_progress(platform: Platform) -> None:
    """So that every kill meets work: wait until more events were published."""
    first = await outside.published(platform.mongo)
    await until(lambda: outside.published(platform.mongo), lambda now: now > first + 20, within=60)
