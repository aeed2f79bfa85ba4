"""MongoDB that dies, steps down or stands still."""

import asyncio
import time

from tests.faults.runner import scenario
from tests.faults.trial import Trial
from tests.support.cluster import Shape
from tests.support.wait import until

STILL = 6.0
"""Seconds for which a primary stands still: three times the patience of the others."""


@scenario(
    "mongod killed again and again, under load",
    quick={"kills": 2},
    full={"kills": 50},
    bounds=(300.0, 2 * 3600.0),
    daily=False,
)
async def mongod_kills(trial: Trial, kills: int) -> None:
    """Whatever was under way is repeated with its key; nothing is lost or done twice."""
    await trial.programme.open()
    async with trial.load():
        for _ in range(kills):
            await trial.more(60)
            begun = time.monotonic()
            await asyncio.to_thread(trial.cluster.kill, "mongo")
            trial.tally.see("kill mongod", trial.cluster.exits[-1] == ("mongo", -9))
            await asyncio.sleep(trial.random.choice((0.0, 1.0, 5.0)))
            await asyncio.to_thread(trial.cluster.launch, "mongo")
            await trial.takes_effect(begun)
    await trial.settle()


@scenario(
    "three members: the primary steps down, stands still, is killed, under load",
    quick={"rounds": 1},
    full={"rounds": 17},
    bounds=(300.0, 2 * 3600.0),
    daily=False,
    shape=Shape(members=3),
)
async def elections(trial: Trial, rounds: int) -> None:
    """Another takes its place; what the old one had taken alone is taken back or there."""
    await trial.programme.open()
    async with trial.load():
        for _ in range(rounds):
            for fault in (_step_down, _stand_still, _die):
                await trial.more(40)
                begun = time.monotonic()
                await fault(trial)
                await trial.takes_effect(begun)
    await asyncio.to_thread(trial.cluster.wait_ready)
    await trial.settle()


async def _primary(trial: Trial, but: str = "") -> str:
    """The primary, once there is another than this one."""

    async def look() -> str | None:
        return await asyncio.to_thread(trial.cluster.members.primary)

    found = await until(look, lambda name: name and name != but, within=40)
    assert found is not None
    return found


async def _step_down(trial: Trial) -> None:
    old = await _primary(trial)
    await asyncio.to_thread(trial.cluster.members.step_down)
    trial.tally.see("stepDown", await _primary(trial, but=old))


async def _stand_still(trial: Trial) -> None:
    old = await _primary(trial)
    await asyncio.to_thread(trial.cluster.freeze, old)
    trial.tally.see("frozen primary", trial.cluster.is_frozen(old))
    begun = time.monotonic()
    try:
        await _primary(trial, but=old)
        await asyncio.sleep(max(0.0, STILL - (time.monotonic() - begun)))  # the fault itself
    finally:
        trial.cluster.thaw(old)


async def _die(trial: Trial) -> None:
    old = await _primary(trial)
    await asyncio.to_thread(trial.cluster.kill, old)
    trial.tally.see("kill primary", await _primary(trial, but=old))
    await asyncio.to_thread(trial.cluster.launch, old)
