"""Money: more approvals at once than a pool can pay, on several replicas."""

import asyncio
from collections import Counter

from tests.faults.checker.outside import Document
from tests.faults.load.client import Command, Who
from tests.faults.load.programme import ALONE, AMOUNT, EARLY, REVIEWER, STAFF, STEPS, Woman
from tests.faults.runner import scenario
from tests.faults.trial import Trial
from tests.support.cluster import Shape
from tests.support.wait import until

ROUNDS_A_WOMAN = 50
"""So many live applications may one woman have."""


@scenario(
    "200 approvals at once against a pool for 50, three replicas",
    quick={"rounds": 2, "women": 200, "covered": 50},
    full={"rounds": 1000, "women": 200, "covered": 50},
    bounds=(300.0, 4 * 3600.0),
    shape=Shape(services=("enrollment", "grants"), replicas={"grants": 3}),
)
async def approvals(trial: Trial, rounds: int, women: int, covered: int) -> None:
    """Exactly so many are offered the money, the rest stand in line by rank, every time.

    No fault is made: what is tried is the crowd. How often is in the notes of its row.
    """
    trial.client.by_gateway, trial.client.again = 0.0, 0.002
    await trial.programme.call()
    crowd: list[Woman] = []
    async with trial.load(workers=0):
        for number in range(rounds):
            if number % ROUNDS_A_WOMAN == 0:
                crowd = await _crowd(trial, women)
            await _round(trial, crowd, covered)
            trial.tally.notes["rounds"] = number + 1
    await trial.settle(share=0.01)


async def _crowd(trial: Trial, women: int) -> list[Woman]:
    """Women who are enrolled, as grants has heard of all of them."""
    crowd = [Woman(ALONE) for _ in range(women)]
    for step in STEPS[:4]:
        made = [step(woman, trial.programme.terms) for woman in crowd]
        await _all(trial, made, at_once=32)
    await until(lambda: asyncio.to_thread(trial.outside.behind), lambda left: not left, within=60)
    return crowd


async def _round(trial: Trial, crowd: list[Woman], covered: int) -> None:
    pool = trial.pool = await trial.programme.pool(covered * AMOUNT)
    round_id = await trial.programme.round(pool)
    ids = [f"{woman.id}:{round_id}" for woman in crowd]
    asked = {"round_id": round_id, "amount": AMOUNT}
    applied = [
        Command("grants", "apply", Who(woman.id, ("applicant",)), "/applications", asked)
        for woman in crowd
    ]
    await _all(trial, applied, at_once=len(applied))
    proposed = [
        Command("grants", "propose", REVIEWER, f"/applications/{one}/proposal", {"amount": AMOUNT})
        for one in ids
    ]
    await _all(trial, proposed, at_once=len(proposed))
    approved = [Command("grants", "approve", STAFF, f"/awards/{one}/approval") for one in ids]
    await _all(trial, approved, at_once=len(approved))
    pools, awards = await asyncio.to_thread(trial.outside.pools_and_awards, pool)
    trial.tally.wrong += outcome(pools[0], awards, len(crowd), covered)


def outcome(pool: Document, awards: list[Document], women: int, covered: int) -> list[str]:
    """So many have the money, and everybody else a rank of her own: none is left out."""
    ended = Counter(one["status"] for one in awards)
    ranks = sorted(one["rank"] for one in awards if one["status"] == "waitlisted")
    whole = ended == {"offered": covered, "waitlisted": women - covered}
    if whole and pool["balances"]["available"] == 0 and ranks == list(range(1, len(ranks) + 1)):
        return []
    return [f"I3 pool {pool['_id']}: {dict(ended)} of {covered}, {pool['balances']}, {ranks[-9:]}"]


async def _all(trial: Trial, commands: list[Command], at_once: int) -> None:
    turn = asyncio.Semaphore(at_once)

    async def one(command: Command) -> None:
        async with turn:
            op, reply = await trial.client.command(command, patience=60.0)
        code = str((reply or {}).get("code", ""))
        if op.outcome == "unknown" or (op.outcome == "refused" and code not in EARLY):
            trial.tally.wrong.append(f"{command.name}: {op.outcome} {code}")

    await asyncio.gather(*map(one, commands))


@scenario(
    "every command sent 1 to 5 times at once, at different doors, and again after restarts",
    quick={"commands": 150, "kills": 2},
    full={"commands": 17_000, "kills": 50},
    bounds=(300.0, 2 * 3600.0),
    shape=Shape(replicas={"grants": 2, "enrollment": 2, "training": 2, "trade": 2}),
)
async def repeats(trial: Trial, commands: int, kills: int) -> None:
    """One effect, the same bytes; at the end each is sent once more to restarted processes."""
    await trial.programme.open()
    trial.client.most_copies, trial.client.by_gateway, trial.client.again = 5, 0.5, 0.1
    names = [one for one in trial.cluster.instances() if not one.startswith("gateway")]
    async with trial.load(workers=8):
        for _ in range(kills):
            await trial.more(commands // kills)
            victim = trial.random.choice(names)
            await asyncio.to_thread(trial.cluster.kill, victim)
            trial.tally.see(f"kill {victim}", trial.cluster.exits[-1] == (victim, -9))
            await asyncio.to_thread(trial.cluster.launch, victim)
    trial.client.most_copies = 1
    for name in names:
        await asyncio.to_thread(trial.cluster.terminate, name)
        trial.tally.see(f"restart {name}", trial.cluster.ended_in_order(name))
    await asyncio.to_thread(trial.cluster.launch, *names)
    await trial.settle(share=1.0)
