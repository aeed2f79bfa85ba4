"""What an event costs when a thousand keys are stored, and when a million are."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from bench.feed import Load
from bench.measures.consume import in_turn, one
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
    """How a side keeps a person who has done nothing yet: by collection, all but her id."""

    side: Side
    name: str
    fresh: dict[str, Document]

    def database(self, keys: int) -> str:
        """Where so many are kept."""
        return f"{self.name}_keys_{keys}"


OURS = Kept(
    TELAR,
    "telar",
    {
        "accounts": {"version": 1, "orders": 0, "balance": 0, "check": 0},
        "streams": {"version": 1, "out": {SINK: (1, GENESIS)}, "in": {}, "parked": {}},
    },
)
THEIRS = Kept(
    BY_HAND,
    "by_hand",
    {
        "accounts": {"orders": 0, "balance": 0, "last_order_id": None, "check": 0},
        "streams": {"in": (0, GENESIS), "out": (1, GENESIS)},
    },
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
    for counts, (name, keys, people), both in runs(plan):
        for side, took in (await _round(stage, plan, keys, people, both)).items():
            if counts:
                found[side][name].setdefault(str(keys), []).append(took)
    for kept in BOTH:
        for keys in plan.keys:
            await stage.database.drop_database(kept.database(keys))
    return {"unit": "events/s", "sides": found}


Use = tuple[str, int, int]
"""How a store is used: the name of the use, keys stored, keys used."""


def runs(plan: Plan) -> Iterator[tuple[bool, Use, list[Kept]]]:
    """Whether it counts, the use, the sides in their order.

    The first round does not count: it finds the store as it was just written, and warms it.
    """
    for number, use in product(range(plan.keys_rounds + 1), _uses(plan)):
        yield number > 0, use, in_turn(BOTH, number)


def _uses(plan: Plan) -> Iterator[Use]:
    fewest = min(plan.keys)
    for keys in plan.keys:
        yield "few", keys, fewest
        if keys > fewest:  # of the smallest both are the same
            yield "all", keys, keys


async def _round(
    stage: Stage, plan: Plan, keys: int, people: int, both: list[Kept]
) -> dict[str, dict[str, float]]:
    """One use of one store by both sides, by the same orders."""
    load = Load(plan.keys_events, people, prefix=f"k{keys}", stride=keys // people)
    await stage.feed(load)
    took = {}
    for kept in both:
        more = {"BENCH_DATABASE": kept.database(keys)}
        took[kept.side.name] = await one(stage, kept.side, plan.keys_events, 120.0, more)
        await _restore(stage, kept, keys, load)
    await stage.unfeed()
    return took


async def _store(stage: Stage, kept: Kept, keys: int) -> None:
    load, database = Load(0, keys, prefix=f"k{keys}"), stage.database[kept.database(keys)]
    for people in _chunks(load.person(number) for number in range(keys)):
        await asyncio.gather(
            *(
                database[name].insert_many([{"_id": who, **new} for who in people], ordered=False)
                for name, new in kept.fresh.items()
            )
        )


async def _restore(stage: Stage, kept: Kept, keys: int, load: Load) -> None:
    """As before the run and where it was, so that the next one finds the same.

    Inserted anew, what is used would lie together, however large the store around it is.
    """
    database = stage.database[kept.database(keys)]
    for people in _chunks({event.person_id for event in load.events()}):
        for name, new in kept.fresh.items():
            whole = {"$mergeObjects": [{"_id": "$_id"}, {"$literal": new}]}
            await database[name].update_many({"_id": {"$in": people}}, [{"$replaceWith": whole}])
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
