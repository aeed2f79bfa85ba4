"""Random schemas of the kind that events have, slightly changed ones, and values of both."""

import string
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from hypothesis import strategies as st

from tools.subschema import Schema

NAMES = ("a", "b", "c")
WORDS = st.text(string.ascii_lowercase, max_size=4)
BOUNDS = st.integers(-3, 3)
LENGTHS = st.integers(0, 3)
EARLY, LATE = datetime(2020, 1, 1), datetime(2060, 1, 1)  # noqa: DTZ001  zones are drawn


def integers() -> st.SearchStrategy[Schema]:
    return st.fixed_dictionaries(
        {"type": st.just("integer")},
        optional={"minimum": BOUNDS, "exclusiveMaximum": BOUNDS.map(lambda n: n + 7)},
    )


def texts() -> st.SearchStrategy[Schema]:
    pattern = st.sampled_from(["^[a-m]*$", "^[a-z]*$"])
    return st.one_of(
        st.fixed_dictionaries({"type": st.just("string"), "pattern": pattern}),
        st.fixed_dictionaries(
            {"type": st.just("string")},
            optional={"minLength": LENGTHS, "maxLength": LENGTHS.map(lambda n: n + 3)},
        ),
        st.lists(st.sampled_from(["x", "y", "z"]), min_size=1, unique=True).map(
            lambda words: {"type": "string", "enum": words}
        ),
        st.sampled_from([{"const": "x"}, {"type": "boolean"}, {"type": "null"}]),
    )


def records(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    @st.composite
    def draw_record(draw: st.DrawFn) -> Schema:
        fields = draw(st.dictionaries(st.sampled_from(NAMES), inner, max_size=3))
        required = [name for name in fields if draw(st.booleans())]
        return _record(fields, required)

    return draw_record()


def _record(fields: dict[str, Schema], required: list[str]) -> Schema:
    closed = {"type": "object", "additionalProperties": False}
    return {**closed, "properties": fields, "required": required}


def arrays(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    many = st.fixed_dictionaries(
        {"type": st.just("array"), "items": inner},
        optional={"minItems": st.integers(0, 2), "maxItems": st.integers(2, 3)},
    )
    places = st.lists(inner, min_size=1, max_size=2).map(
        lambda found: {
            "type": "array",
            "prefixItems": found,
            "minItems": len(found),
            "maxItems": len(found),
        }
    )
    return many | places


def schemas() -> st.SearchStrategy[Schema]:
    def wider(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
        choice = st.lists(inner, min_size=1, max_size=3).map(lambda found: {"anyOf": found})
        mapping = inner.map(lambda one: {"type": "object", "additionalProperties": one})
        return records(inner) | arrays(inner) | choice | mapping

    return st.recursive(integers() | texts(), wider, max_leaves=6)


def variant_of(schema: Schema) -> st.SearchStrategy[Schema]:
    """The same schema with one thing or nothing changed, or quite another one."""

    @st.composite
    def draw_variant(draw: st.DrawFn) -> Schema:
        if draw(st.integers(0, 5)) == 0:
            return draw(schemas())
        match schema:
            case {"properties": dict(fields), "required": list(required)} if fields:
                return _changed_record(draw, fields, required)
            case {"anyOf": choices}:
                place = draw(st.integers(0, len(choices) - 1))
                changed = [*choices[:place], draw(variant_of(choices[place])), *choices[place:]]
                return {"anyOf": changed[: draw(st.integers(1, len(changed)))]}
            case {"items": inner}:
                return {**schema, "items": draw(variant_of(inner))}
        if len(schema) > 1 and draw(st.booleans()):
            dropped = draw(st.sampled_from(sorted(schema.keys() - {"type"}) or ["type"]))
            return {key: value for key, value in schema.items() if key != dropped}
        return schema

    return draw_variant()


def _changed_record(draw: st.DrawFn, fields: dict[str, Schema], required: list[str]) -> Schema:
    name = draw(st.sampled_from(NAMES))
    kept = {key: value for key, value in fields.items() if key != name}
    if name in fields and draw(st.booleans()):
        kept[name] = draw(variant_of(fields[name]))
    elif name not in fields:
        kept[name] = draw(schemas())
    needed = [key for key in kept if key in required and (key != name or draw(st.booleans()))]
    return _record(kept, needed)


def values(schema: Schema, defs: Schema | None = None) -> st.SearchStrategy[Any]:
    """What a writer of this schema may write."""
    defs = schema.get("$defs", {}) if defs is None else defs
    match schema:
        case {"$ref": ref}:
            return values(defs[ref.rpartition("/")[2]], defs)
        case {"anyOf": choices}:
            return st.one_of(*(values(choice, defs) for choice in choices))
        case {"const": value}:
            return st.just(value)
        case {"enum": found}:
            return st.sampled_from(found)
        case {"type": "array"}:
            return _lists(schema, defs)
        case {"type": "object", "properties": fields}:
            needed = {name: values(fields[name], defs) for name in schema.get("required", [])}
            free = {name: values(fields[name], defs) for name in fields if name not in needed}
            return st.fixed_dictionaries(needed, optional=free)
        case {"type": "object", "additionalProperties": inner}:
            return st.dictionaries(st.sampled_from(NAMES), values(inner, defs), max_size=2)
    return _scalars(schema)


def _lists(schema: Schema, defs: Schema) -> st.SearchStrategy[Any]:
    if "prefixItems" in schema:
        return st.tuples(*(values(place, defs) for place in schema["prefixItems"])).map(list)
    low = schema.get("minItems", 0)
    inner = values(schema["items"], defs)
    return st.lists(inner, min_size=low, max_size=schema.get("maxItems", low + 2))


def _scalars(schema: Schema) -> st.SearchStrategy[Any]:
    match schema:
        case {"type": "integer"}:
            low = schema.get("minimum", schema.get("exclusiveMinimum", -10) + 1)
            high = schema.get("maximum", schema.get("exclusiveMaximum", 10) - 1)
            return st.integers(low, high)
        case {"type": "string", "format": "date-time"}:
            return st.datetimes(EARLY, LATE, timezones=st.just(UTC)).map(datetime.isoformat)
        case {"type": "string", "format": "date"}:
            return st.dates(EARLY.date(), LATE.date()).map(date.isoformat)
        case {"type": "string", "pattern": pattern}:
            words = st.from_regex(pattern, fullmatch=True, alphabet=st.characters(codec="ascii"))
            return words.map(str).filter(_at_most(schema.get("maxLength", 200)))
        case {"type": "string"}:
            low = schema.get("minLength", 0)
            return st.text("abz", min_size=low, max_size=schema.get("maxLength", low + 4))
        case {"type": "boolean"}:
            return st.booleans()
    return st.none()


def _at_most(longest: int) -> Callable[[str], bool]:
    return lambda word: len(word) <= longest


def opened(node: Any) -> Any:
    """As a reader takes it: unknown fields beside the named ones are ignored."""
    match node:
        case {"properties": fields}:
            inner = {name: opened(field) for name, field in fields.items()}
            rest = {key: opened(value) for key, value in node.items() if key != "properties"}
            return {**rest, "properties": inner, "additionalProperties": True}
        case dict():
            return {key: opened(value) for key, value in node.items()}
        case list():
            return [opened(value) for value in node]
    return node
