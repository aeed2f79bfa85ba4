"""Every field of every body of every service, with values that it cannot have."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.operations import Operation, Schema
from tests.support.spoilt import CANARY
from tests.unit.bad_input.conftest import Target, wrong

pytestmark = pytest.mark.anyio

Where = tuple[str | int, ...]
HUGE = (2**31, 2**53 + 1, 2**63, 2**64, 10**30, -1, -(2**63) - 1)
WRONG: dict[str, tuple[Any, ...]] = {
    "integer": (*HUGE, 1.5, 1.0, 1e15, True, False, "1", CANARY, [1], {"$inc": 1}),
    "boolean": (0, 1, 1.0, "true", "yes", CANARY, [True], {}),
    "string": (7, 1.5, True, [CANARY], {"$ne": CANARY}, CANARY * 400, ""),
    "date": (
        *(20260401, 1.5, "20260401", "1775001600", CANARY, "2026-02-30", "2026-4-1", True),
        *("-12", "-86400", "+2026-04-01", "1-2-3", "0000-01-01", "-001-01-01"),
    ),
    "date-time": (
        *(1775001600, "1775001600", "2026-04-01T00:00:00", CANARY, "2026-13-01T00:00Z"),
        *("-12", "-1.5", "-1775001600000", "+2026-04-01T00:00:00Z", "0000-01-01T00:00:00Z"),
        *("0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-06:00"),
    ),
    "enum": (CANARY, "", 1, True, [CANARY], None),
    "array": (CANARY, {}, {"0": CANARY}, 1, [[CANARY]], [{}], [None], [CANARY.upper()]),
    "object": (CANARY, 1, True, [], [CANARY]),
}

NOT_EMPTY: tuple[Any, ...] = ({CANARY: 1}, [CANARY], CANARY, 1, False, [])


def fields(schema: Schema, defs: Schema, at: Where = ()) -> Iterator[tuple[Where, Schema]]:
    """Every place of a body and what stands there, the body itself first."""
    schema = _resolved(schema, defs)
    yield at, schema
    for name, inner in schema.get("properties", {}).items():
        yield from fields(inner, defs, (*at, name))
    if "items" in schema:
        yield from fields(schema["items"], defs, (*at, 0))


def _resolved(schema: Schema, defs: Schema) -> Schema:
    match schema:
        case {"$ref": ref}:
            return _resolved(defs[ref.rpartition("/")[2]], defs)
        case {"anyOf": [first, {"type": "null"}]}:
            return {**_resolved(first, defs), "nullable": True}
    return schema


def bad_values(schema: Schema) -> Iterator[Any]:
    """What does not belong there."""
    kind = "enum" if {"enum", "const"} & schema.keys() else schema.get("format") or schema["type"]
    for value in WRONG[kind]:
        whole = type(value) is int and kind == "integer"
        if not (whole and schema.get("minimum", value) <= value <= schema.get("maximum", value)):
            yield value
    if not schema.get("nullable"):
        yield None
    if "maxItems" in schema:
        yield [None] * (schema["maxItems"] + 1)


def changed(body: Any, where: Where, value: Any) -> Any:
    """The same body with another value at one place."""
    if not where:
        return value
    whole = copy.deepcopy(body)
    inner = whole
    for step in where[:-1]:
        inner = inner[step]
    inner[where[-1]] = value
    return whole


def spoilt(one: Operation) -> Iterator[tuple[str, Any]]:
    """Bodies of this operation by what is wrong with them."""
    assert one.body is not None
    body = one.example()
    for where, schema in fields(one.body, one.body["$defs"]):
        place = "/".join(str(step) for step in where)
        for value in bad_values(schema):
            yield f"{place} = {str(value)[:40]!r}", changed(body, where, value)
        if schema.get("type") == "object":
            inner = body
            for step in where:
                inner = inner[step]
            yield f"{place} with more", changed(body, where, inner | {f"{CANARY}_name": CANARY})
            for name in schema.get("required", []):
                less = {key: value for key, value in inner.items() if key != name}
                yield f"{place} without {name}", changed(body, where, less)


async def test_no_field_takes_what_it_cannot_be(target: Target) -> None:
    found = {}
    for one in target.commands:
        if one.body is not None:
            for what, body in spoilt(one):
                answer = await target.send(one, json=body)
                if problem := wrong(answer, 422, "body-invalid"):
                    found[one.name, what] = problem
    assert found == {}


async def test_an_operation_without_a_body_takes_none(target: Target) -> None:
    found = {}
    for one in target.commands:
        if one.body is None:
            for body in NOT_EMPTY:
                answer = await target.send(one, json=body)
                if problem := wrong(answer, 422, "body-invalid"):
                    found[one.name, str(body)] = problem
    assert found == {}


async def test_a_place_is_named_in_our_words(target: Target) -> None:
    for one in target.commands:
        if one.body is not None and one.body["properties"]:
            answer = await target.send(one, json=one.example() | {CANARY: 1})
            places = answer.json()["errors"]
            assert places == [{"place": "body", "code": "extra_forbidden"}], one.name
