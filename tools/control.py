"""What services say to each other about the streams, on `telar.control` (AsyncAPI, catalogue)."""

from typing import Any

from shared.chassis.control import CONTROL as TOPIC
from shared.chassis.control import Ask, Heads
from tools.writer import Schema

__all__ = ["MESSAGES", "TOPIC"]

_HASH = "0f343b0931126a20f133d67c2b018a3b1b6d3b8c2a1e4f5d6c7b8a9908172635"
_SAID = {"at": "2026-03-02T12:00:00Z", "topic": "telar.grants"}


def _message(shape: type[Ask | Heads], **example: Any) -> Schema:
    schema = shape.model_json_schema(mode="serialization")
    definitions = schema.pop("$defs", {})
    inlined = _inline(schema, definitions)
    return {**inlined, "examples": [shape.model_validate(example).model_dump(mode="json")]}


def _inline(part: Any, definitions: Schema) -> Any:
    """A message stands by itself: what it refers to stands where it is used."""
    if isinstance(part, list):
        return [_inline(one, definitions) for one in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _inline(definitions[part["$ref"].rpartition("/")[2]], definitions)
    return {name: _inline(one, definitions) for name, one in part.items()}


MESSAGES: dict[str, Schema] = {
    "ask": _message(Ask, **_SAID, key="person-id", first=4, last=6, known=7),
    "heads": _message(
        Heads,
        **_SAID,
        asked=7,
        heads=[{"key": "person-id", "sequence": 6, "digest": _HASH}],
    ),
}
