"""What an event costs when a thousand keys are stored, and when a million are."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from bench.feed import Load
from bench.measures.consume import one
from bench.peers.outbox import GENESIS
from bench.plan import Plan
from bench.sides import BY_HAND, TELAR, Side
from bench.stage import Stage
from bench.work import SINK

CHUNK = 5_000
Document = dict[str, Any]
Rounds = dict[str, dict[str, list[dict[str, float]]]]


@dataclass(frozen=True)
class Kept:
    """How a side keeps a person who has done nothing yet."""

    side: Side
    name: str
    account: Callable[[str], Document]
    stream: Callable[[str], Document]

    def database(self, keys: int) -> str:
        """Where so many are kept."""
        return f"{self.name}_keys_{keys}"


OURS = Kept(
    TELAR,
    "telar",
    lambda who: {"_id": who, "version": 1, "orders": 0, "balance": 0, "check": 0},
    lambda who: {"_id": who, "version": 1, "out": {SINK: (1, GENESIS)}, "in": {}, "parked": {}},
)
THEIRS = Kept(
    BY_HAND,
    "by_hand",
    lambda who: {"_id": who, "orders": 0, "balance": 0, "last_order_id": None, "check": 0},
    lambda who: {"_id": who, "in": (0, GENESIS), "out": (1, GENESIS)},
)
BOTH = (OURS, THEIRS)


async def measure(stage: Stage, plan: Plan) -> dict[str, Any]:
    """Each number of stored keys in turn, of both sides; every event finds its key there.

    `few`: as many keys as in the smallest store have events, spread over all; `all`: every key.
    """
    found: dict[str, Rounds] = {one.side.name: {"few": {}, "all": {}} for one in BOTH}
    for kept in BOTH:
        for keys in plan.keys:
            await _store(stage, kept, keys)
    for _, (name, keys, people), kept in product(range(plan.keys_rounds), _uses(plan), BOTH):
        rates = found[kept.side.name][name].setdefault(str(keys), [])
        rates.append(await _round(stage, plan, kept, keys, people))
    for kept in BOTH:
        for keys in plan.keys:
            await stage.database.drop_database(kept.database(keys))
    return {"unit": "events/s", "sides": found}


def _uses(plan: Plan) -> Iterator[tuple[str, int, int]]:
    """Which store is used how: the name of the use, keys stored, keys used."""
    fewest = min(plan.keys)
    for keys in plan.keys:
        yield "few", keys, fewest
        if keys > fewest:  # of the smallest both are the same
            yield "all", keys, keys


async def _round(stage: Stage, plan: Plan, kept: Kept, keys: int, people: int) -> dict[str, float]:
    load = Load(plan.keys_events, people, prefix=f"k{keys}", stride=keys // people)
    await stage.feed(load)
    more = {"BENCH_DATABASE": kept.database(keys)}
    took = await one(stage, kept.side, plan.keys_events, 120.0, more)
    await stage.unfeed()
    await _restore(stage, kept, keys, load)
    return took


async def _store(stage: Stage, kept: Kept, keys: int) -> None:
    load, database = Load(0, keys, prefix=f"k{keys}"), stage.database[kept.database(keys)]
    for people in _chunks(load.person(number) for number in range(keys)):
        await asyncio.gather(
            database.accounts.insert_many([*map(kept.account, people)], ordered=False),
            database.streams.insert_many([*map(kept.stream, people)], ordered=False),
        )


async def _restore(stage: Stage, kept: Kept, keys: int, load: Load) -> None:
    """As before the run, so that the next one finds the same."""
    database = stage.database[kept.database(keys)]
    touched = {event.person_id for event in load.events()}
    for people in _chunks(touched):
        where = {"_id": {"$in": people}}
        await database.accounts.delete_many(where)
        await database.streams.delete_many(where)
        await database.accounts.insert_many([*map(kept.account, people)])
        await database.streams.insert_many([*map(kept.stream, people)])
    for own in ("outbox", "offsets"):
        await database[own].delete_many({})


def _chunks(people: Iterable[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    for one_of_them in people:
        chunk.append(one_of_them)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
