"""What an event costs when a thousand keys are stored, and when a million are."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

from bench.feed import Load
from bench.measures.consume import one
from bench.plan import Plan
from bench.sides import TELAR
from bench.stage import Stage
from bench.work import SINK

CHUNK = 5_000
Document = dict[str, Any]


async def measure(stage: Stage, plan: Plan) -> dict[str, Any]:
    """Each number of stored keys in turn; every event finds its key there.

    `few`: as many keys as in the smallest store have events, spread over all; `all`: every key.
    """
    found: dict[str, dict[str, list[dict[str, float]]]] = {"few": {}, "all": {}}
    for keys in plan.keys:
        await _store(stage, keys)
    for _ in range(plan.keys_rounds):
        for keys in plan.keys:
            for name, people in {"few": min(plan.keys), "all": keys}.items():
                if name == "few" or keys > min(plan.keys):  # of the smallest both are the same
                    rates = found[name].setdefault(str(keys), [])
                    rates.append(await _round(stage, plan, keys, people))
    for keys in plan.keys:
        await stage.database.drop_database(_database(keys))
    return {"unit": "events/s", **found}


async def _round(stage: Stage, plan: Plan, keys: int, people: int) -> dict[str, float]:
    load = Load(plan.keys_events, people, prefix=f"k{keys}", stride=keys // people)
    await stage.feed(load)
    more = {"BENCH_DATABASE": _database(keys)}
    took = await one(stage, TELAR, plan.keys_events, 120.0, more)
    await stage.unfeed()
    await _restore(stage, load, _database(keys))
    return took


def _database(keys: int) -> str:
    return f"telar_keys_{keys}"


async def _store(stage: Stage, keys: int) -> None:
    load, database = Load(0, keys, prefix=f"k{keys}"), stage.database[_database(keys)]
    for people in _chunks(load.person(number) for number in range(keys)):
        accounts, streams = [_account(one) for one in people], [_stream(one) for one in people]
        await asyncio.gather(
            database.accounts.insert_many(accounts, ordered=False),
            database.streams.insert_many(streams, ordered=False),
        )


async def _restore(stage: Stage, load: Load, name: str) -> None:
    """As before the run, so that the next one finds the same."""
    database = stage.database[name]
    touched = {event.person_id for event in load.events()}
    for people in _chunks(touched):
        where = {"_id": {"$in": people}}
        await database.accounts.delete_many(where)
        await database.streams.delete_many(where)
        await database.accounts.insert_many([_account(one) for one in people])
        await database.streams.insert_many([_stream(one) for one in people])
    for own in ("outbox", "offsets"):
        await database[own].delete_many({})


def _account(person_id: str) -> Document:
    return {"_id": person_id, "version": 1, "orders": 0, "balance": 0, "check": 0}


def _stream(person_id: str) -> Document:
    out = {SINK: (1, "0" * 64)}
    return {"_id": person_id, "version": 1, "out": out, "in": {}, "parked": {}}


def _chunks(people: Iterable[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    for one_of_them in people:
        chunk.append(one_of_them)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
