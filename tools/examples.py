"""An example made from a schema: the same one every time."""

import re
from typing import Any
from uuid import NAMESPACE_URL, uuid5

_MOMENTS = {"date-time": "2026-03-02T18:00:00Z", "date": "2026-03-02", "time": "18:00:00"}
# A string of a given form is the first of these that has it, after what its name suggests.
_WORDS = ("es-MX", "20", "20067", "MX", "enrolled", "a", "1", "484", "https://example.org/")
_WORDS += ("telar.grants", "telar.grants.award-offered.v1", "0" * 64)


def example(schema: dict[str, Any]) -> dict[str, Any]:
    """An object of this schema, every field given."""
    return _object(schema, schema.get("$defs", {}))


def _object(schema: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    fields = schema.get("properties", {})
    return {name: _value(name, inner, defs) for name, inner in fields.items()}


def _value(name: str, schema: dict[str, Any], defs: dict[str, Any]) -> Any:
    match schema:
        case {"$ref": ref}:
            return _value(name, defs[ref.rpartition("/")[2]], defs)
        case {"const": value} | {"enum": [value, *_]}:
            return value
        case {"anyOf": [first, *_]} | {"oneOf": [first, *_]} | {"allOf": [first]}:
            return _value(name, first, defs)
        case {"type": "array", "prefixItems": list(places)}:
            return [_value(name, inner, defs) for inner in places]
        case {"type": "array", "items": inner}:
            return [_value(name.removesuffix("s"), inner, defs)] * max(1, schema.get("minItems", 1))
        case {"type": "object"}:
            return _object(schema, defs)
    return _scalar(name, schema)


def _scalar(name: str, schema: dict[str, Any]) -> Any:
    match schema.get("type"):
        case "integer":
            return _integer(schema)
        case "boolean":
            return True
        case "null":
            return None
        case "string":
            return _MOMENTS.get(schema.get("format", "")) or _word(name, schema)
    raise SystemExit(f"no example can be made for {name}: {schema}")


def _integer(schema: dict[str, Any]) -> int:
    low = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
    high = schema.get("maximum", schema.get("exclusiveMaximum", 10**6) - 1)
    likely = 2_500_000 if high > 10**9 else 3
    return int(min(max(low, likely), high))


def _word(name: str, schema: dict[str, Any]) -> str:
    plain = name.replace("_", "-")
    first = str(uuid5(NAMESPACE_URL, name)) if name.endswith("_id") else plain
    for word in (first, plain, *_WORDS):
        long_enough = schema.get("minLength", 0) <= len(word) <= schema.get("maxLength", 10**6)
        if long_enough and re.search(schema.get("pattern", ""), word):
            return word
    raise SystemExit(f"no example for {name}: add a word of this form to tools/examples.py")
