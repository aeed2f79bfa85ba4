"""Which changes of an event break a reader: a table of cases, then whatever Hypothesis finds."""

import json
from typing import Any

import jsoncompat
import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.schema_strategies import opened, schemas, values, variant_of
from tools.compat import changes
from tools.subschema import Schema, refused

ID: Schema = {"type": "string", "pattern": "^[a-z]+$"}
WORD: Schema = {"type": "string"}
NULL: Schema = {"type": "null"}


def record(required: list[str] | None = None, **fields: Schema) -> Schema:
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields) if required is None else required,
        "additionalProperties": False,
    }


def integer(**bounds: int) -> Schema:
    return {"type": "integer", **bounds}


def with_defs(schema: Schema, **defs: Schema) -> Schema:
    return {**schema, "$defs": defs}


def ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def tagged(*tags: str) -> Schema:
    members = {tag: record(kind={"const": tag}, n=integer()) for tag in tags}
    choice = {"oneOf": [ref(tag) for tag in tags], "discriminator": {"propertyName": "kind"}}
    return with_defs(record(thing=choice), **members)


def one(field: Schema) -> Schema:
    return record(x=field)


BOTH, NEW_ONLY, OLD_ONLY, NEITHER = (True, True), (True, False), (False, True), (False, False)

# name: before, after, (new code reads old events, old code reads new events)
CASES: dict[str, tuple[Schema, Schema, tuple[bool, bool]]] = {
    "nothing changed": (one(ID), one(ID), BOTH),
    "only words changed": (one(ID), one({**ID, "description": "Said better."}), BOTH),
    "an optional field was added": (record(a=ID), record(["a"], a=ID, b=WORD), BOTH),
    "a needed field was added": (record(a=ID), record(a=ID, b=WORD), OLD_ONLY),
    "an optional field was removed": (record(["a"], a=ID, b=WORD), record(a=ID), BOTH),
    "a needed field was removed": (record(a=ID, b=WORD), record(a=ID), NEW_ONLY),
    "a field became optional": (record(a=ID), record([], a=ID), NEW_ONLY),
    "an optional field became needed": (record([], a=ID), record(a=ID), OLD_ONLY),
    "an optional field changed its type": (record([], a=WORD), record([], a=integer()), NEITHER),
    "a field got another name": (record(a=ID), record(b=ID), NEITHER),
    "a code was added": (one({"enum": ["a"]}), one({"enum": ["a", "b"]}), NEW_ONLY),
    "a code was removed": (one({"enum": ["a", "b"]}), one({"enum": ["a"]}), OLD_ONLY),
    "a constant became one of two": (one({"const": "a"}), one({"enum": ["a", "b"]}), NEW_ONLY),
    "a constant changed": (one({"const": "a"}), one({"const": "b"}), NEITHER),
    "codes became any word": (one({"type": "string", "enum": ["a"]}), one(WORD), NEW_ONLY),
    "a whole number became any number": (one(integer()), one({"type": "number"}), NEW_ONLY),
    "null was allowed": (one(WORD), one({"anyOf": [WORD, NULL]}), NEW_ONLY),
    "null was allowed by a list": (one(WORD), one({"type": ["string", "null"]}), NEW_ONLY),
    "a choice in another order": (
        one({"anyOf": [WORD, NULL]}),
        one({"anyOf": [NULL, WORD]}),
        BOTH,
    ),
    "a length got a limit": (one(WORD), one({**WORD, "maxLength": 9}), OLD_ONLY),
    "a length may be less": (one({**WORD, "minLength": 2}), one(WORD), NEW_ONLY),
    "a number may be more": (one(integer(maximum=9)), one(integer(maximum=10)), NEW_ONLY),
    "a number may be less": (one(integer(minimum=1)), one(integer(minimum=0)), NEW_ONLY),
    "an open bound said as a closed one": (
        one(integer(exclusiveMinimum=0)),
        one(integer(minimum=1)),
        BOTH,
    ),
    "a number lost its bound": (one(integer(exclusiveMaximum=9)), one(integer()), NEW_ONLY),
    "a pattern changed": (one(ID), one({**WORD, "pattern": "^[a-f]+$"}), NEITHER),
    "a pattern was dropped": (one(ID), one(WORD), NEW_ONLY),
    "a moment became a day": (
        one({**WORD, "format": "date-time"}),
        one({**WORD, "format": "date"}),
        NEITHER,
    ),
    "items changed": (
        one({"type": "array", "items": ID}),
        one({"type": "array", "items": integer()}),
        NEITHER,
    ),
    "a list must not be empty": (
        one({"type": "array", "items": ID}),
        one({"type": "array", "items": ID, "minItems": 1}),
        OLD_ONLY,
    ),
    "one became many": (one(ID), one({"type": "array", "items": ID}), NEITHER),
    "a pair got a third": (
        one({"type": "array", "prefixItems": [ID, ID], "minItems": 2, "maxItems": 2}),
        one({"type": "array", "prefixItems": [ID, ID, ID], "minItems": 3, "maxItems": 3}),
        NEITHER,
    ),
    "a definition got another name": (
        with_defs(one(ref("A")), A=record(a=ID)),
        with_defs(one(ref("B")), B=record(a=ID)),
        BOTH,
    ),
    "a field inside got an optional neighbour": (
        with_defs(one(ref("A")), A=record(a=ID)),
        with_defs(one(ref("A")), A=record(["a"], a=ID, b=ID)),
        BOTH,
    ),
    "a field inside changed its type": (
        with_defs(one(ref("A")), A=record(a=ID)),
        with_defs(one(ref("A")), A=record(a=integer())),
        NEITHER,
    ),
    "a tree of its own kind is left alone": (
        with_defs(one(ref("T")), T=record([], t=ref("T"))),
        with_defs(one(ref("T")), T=record([], t=ref("T"))),
        BOTH,
    ),
    "the values of a map changed": (
        one({"type": "object", "additionalProperties": integer()}),
        one({"type": "object", "additionalProperties": WORD}),
        NEITHER,
    ),
    "a record became a map": (
        one(record(a=integer())),
        one({"type": "object", "additionalProperties": integer()}),
        NEW_ONLY,
    ),
    "a kind was added to a tagged choice": (tagged("a"), tagged("a", "b"), NEW_ONLY),
    "a field is of any shape now": (one(ID), one({}), NEW_ONLY),
    "an unknown keyword came": (one(WORD), one({**WORD, "contentEncoding": "base64"}), NEITHER),
}

# What jsoncompat 0.3 does not look at, or does not understand.
OTHER_RULES = {
    "a pattern changed",
    "a pattern was dropped",
    "a moment became a day",
    "a kind was added to a tagged choice",
    "an unknown keyword came",
}


@pytest.mark.parametrize("name", CASES)
def test_a_change_is_judged_in_both_directions(name: str) -> None:
    before, after, (new_reads_old, old_reads_new) = CASES[name]
    assert (refused(after, before) == []) is new_reads_old
    assert (refused(before, after) == []) is old_reads_new


@pytest.mark.parametrize("name", sorted(CASES.keys() - OTHER_RULES))
def test_jsoncompat_gives_the_same_verdict_where_its_rules_apply(name: str) -> None:
    before, after, (new_reads_old, old_reads_new) = CASES[name]
    closed, read = json.dumps(before), json.dumps(opened(after))
    assert jsoncompat.check_compat(closed, read, "deserializer") is new_reads_old
    read, closed = json.dumps(opened(before)), json.dumps(after)
    assert jsoncompat.check_compat(read, closed, "serializer") is old_reads_new


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_what_is_called_compatible_can_be_read(data: st.DataObject) -> None:
    """Whatever a writer of one version writes, the reader of the other validates."""
    writer = data.draw(schemas(), label="writer")
    reader = data.draw(variant_of(writer), label="reader")
    value = data.draw(values(writer), label="value")
    assert jsonschema_rs.is_valid(writer, value)
    if not refused(reader, writer):
        assert jsonschema_rs.is_valid(opened(reader), value)


@settings(max_examples=100, deadline=None)
@given(schemas())
def test_every_schema_reads_what_it_writes(schema: Schema) -> None:
    assert refused(schema, schema) == []


EVENT: dict[str, Any] = {**record(person_id=ID, amount=integer()), "x-telar-key": "person_id"}
NAME = "telar.grants.award-offered.v1"


def reasons(before: dict[str, Schema], after: dict[str, Schema]) -> list[str]:
    return [f"{name} {problem.path}: {problem.reason}" for name, problem in changes(before, after)]


def test_a_reason_names_the_type_the_path_and_the_direction() -> None:
    inside = with_defs({**record(b=ref("B")), "x-telar-key": "b"}, B=record(n=integer()))
    after = with_defs({**record(b=ref("B")), "x-telar-key": "b"}, B=record(n=integer(minimum=1)))
    assert reasons({NAME: inside}, {NAME: after}) == [
        f"{NAME} $.b.n: new code, events of before: minimum 1 is passed by what is written"
    ]


def test_a_type_that_is_gone_is_refused() -> None:
    assert reasons({NAME: EVENT}, {}) == [
        f"{NAME} $: is gone: a published type is never taken back"
    ]


def test_another_key_is_refused() -> None:
    after = {**EVENT, "x-telar-key": "amount"}
    assert reasons({NAME: EVENT}, {NAME: after}) == [
        f"{NAME} $: the key was person_id, now amount: streams would split"
    ]


def test_a_new_type_is_welcome() -> None:
    assert reasons({}, {NAME: EVENT}) == []
