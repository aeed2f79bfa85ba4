"""The JSON Schema of what a publisher writes: closed, without private fields, with an example.

Readers are open: they ignore fields that they do not know. `tools.compat` applies both sides.
"""

from collections.abc import Callable
from typing import Any

from shared.model import Event
from tools.examples import example

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
KEY = "x-telar-key"


def writer_schema(event: type[Event]) -> Schema:
    """One event type as it is written, with a stable `$id`."""
    schema = _without_private(event, event.model_json_schema())
    title, text = schema.pop("title"), schema.pop("description", "")
    schema = _map(schema, _close)
    head = {"$schema": DIALECT, "$id": f"urn:telar:schema:{event.event_type}"}
    head |= {"title": title, "description": text, KEY: event.key_field}
    return head | schema | {"examples": [example(schema)]}


def _without_private(event: type[Event], schema: Schema) -> Schema:
    kept = {k: v for k, v in schema["properties"].items() if k not in event.private_fields}
    required = [name for name in schema.get("required", []) if name in kept]
    schema = {**schema, "properties": kept, "required": required}
    reached = _reached(schema["properties"], schema.get("$defs", {}))
    return {**schema, "$defs": reached} if reached else _without(schema, "$defs")


def _reached(node: Any, defs: Schema) -> Schema:
    found: Schema = {}
    queue = [node]
    while queue:
        match queue.pop():
            case {"$ref": str(ref)} if (name := ref.rpartition("/")[2]) not in found:
                found[name] = defs[name]
                queue.append(defs[name])
            case dict() as inner:
                queue += inner.values()
            case list() as inner:
                queue += inner
    return dict(sorted(found.items()))


def _without(schema: Schema, *names: str) -> Schema:
    return {key: value for key, value in schema.items() if key not in names}


def _close(schema: Schema) -> Schema:
    """No title (it repeats the name), and no field that is not named."""
    closed = _without(schema, "title")
    return closed | {"additionalProperties": False} if "properties" in schema else closed


def _map(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """Apply a change to every schema inside, the fields' names left alone."""
    mapped: Schema = {}
    for key, value in change(schema).items():
        match key, value:
            case (("properties" | "$defs"), dict()):
                mapped[key] = {name: _map(inner, change) for name, inner in value.items()}
            case (("anyOf" | "oneOf" | "allOf" | "prefixItems"), list()):
                mapped[key] = [_map(inner, change) for inner in value]
            case (("items" | "additionalProperties"), dict()):
                mapped[key] = _map(value, change)
            case _:
                mapped[key] = value
    return mapped
