"""Services that die, stand still, multiply and are replaced, under load."""

import asyncio
import time

from tests.faults.runner import scenario
from tests.faults.trial import Trial
from tests.support.cluster import Shape

TWO = Shape(replicas={"enrollment": 2, "training": 2, "grants": 2, "trade": 2})


@scenario(
    "kill -9 of a service process, at random, under load",
    quick={"kills": 8, "commands": 600},
    full={"kills": 300, "commands": 100_000},
    bounds=(300.0, 4 * 3600.0),
    shape=Shape(replicas={"grants": 2, "enrollment": 2}),
)
async def kills(trial: Trial, kills: int, commands: int) -> None:
    """One kill per so many accepted commands; what was killed starts again at once or later."""
    await trial.programme.open()
    recovering: set[asyncio.Task[float]] = set()
    async with trial.load():
        for _ in range(kills):
            await trial.more(commands // kills)
            if len(recovering) >= 2:
                await asyncio.wait(recovering, return_when=asyncio.FIRST_COMPLETED)
            victim = trial.random.choice(trial.cluster.instances())
            begun = time.monotonic()
            await asyncio.to_thread(trial.cluster.kill, victim)
            trial.tally.see(f"kill {victim}", trial.cluster.exits[-1] == (victim, -9))
            await trial.look_at(victim)
            await asyncio.sleep(trial.random.choice((0.0, 0.2, 1.0)))  # it stays down so long
            trial.cluster.spawn(victim)
            task = asyncio.create_task(trial.answers(victim, begun))
            recovering.add(task)
            task.add_done_callback(recovering.discard)
        while recovering:
            await asyncio.wait(recovering)
    await trial.settle()


@scenario(
    "rolling SIGTERM of two replicas of every service, under load through the gateway",
    quick={"rounds": 1},
    full={"rounds": 13},
    bounds=(300.0, 3600.0),
    daily=False,
    shape=TWO,
)
async def rolling(trial: Trial, rounds: int) -> None:
    """Callers notice nothing, and every process is gone within ten seconds."""
    await trial.programme.open()
    trial.client.by_gateway = 1.0
    begun = len(trial.client.history.ops)
    names = [name for name in trial.cluster.instances() if not name.startswith("gateway")]
    slowest = 0.0
    async with trial.load():
        for name in names * rounds:
            await trial.more(15)
            at = time.monotonic()
            taken = await asyncio.to_thread(trial.cluster.terminate, name)
            trial.tally.see(f"SIGTERM {name}", trial.cluster.ended_in_order(name))
            slowest = max(slowest, taken)
            await asyncio.to_thread(trial.cluster.launch, name)
            await trial.answers(name, at)
    trial.tally.notes["slowest_exit_s"] = round(slowest, 2)
    if slowest > 10.0:
        trial.tally.wrong.append(f"a stop took {slowest:.1f} s")
    for op in list(trial.client.history.ops.values())[begun:]:
        for one in op.tries:
            if op.name != "probe" and not one.final and one.status != 409:
                trial.tally.wrong.append(f"a caller noticed: {op.name} {one.status} {one.code}")
    await trial.settle()


@scenario(
    "replicas of every service: one, then three, then two, under load",
    quick={"rounds": 1},
    full={"rounds": 10},
    bounds=(300.0, 3600.0),
    daily=False,
    shape=Shape(replicas={"training": 3, "grants": 3, "trade": 3}),
    start={"training": 1, "grants": 1, "trade": 1},
)
async def replicas(trial: Trial, rounds: int) -> None:
    """Groups share their partitions anew each time; nobody loses or doubles anything."""
    await trial.programme.open()
    services = ("training", "grants", "trade")
    async with trial.load():
        for _ in range(rounds):
            await trial.more(100)
            begun = time.monotonic()
            added = [f"{one}-{n}" for one in services for n in (2, 3)]
            await asyncio.to_thread(trial.cluster.launch, *added)
            trial.tally.see("1 -> 3", all(map(trial.cluster.is_ready, added)))
            await trial.takes_effect(begun)
            await trial.more(150)
            for one in services:
                leaving = trial.random.choice([one, f"{one}-2", f"{one}-3"])
                await asyncio.to_thread(trial.cluster.terminate, leaving)
                trial.tally.see("3 -> 2", trial.cluster.ended_in_order(leaving))
            begun = time.monotonic()
            await trial.takes_effect(begun)
            await trial.more(150)
            for one in services:  # back to one, the first, for the next round
                names = [one, f"{one}-2", f"{one}-3"]
                if not trial.cluster.runs(one):
                    await asyncio.to_thread(trial.cluster.launch, one)
                for name in names[1:]:
                    if trial.cluster.runs(name):
                        await asyncio.to_thread(trial.cluster.terminate, name)
    await trial.settle()
