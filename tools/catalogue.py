"""The event catalogue as a page: event, publisher, consumers, key, fields, example."""

import json
from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter

from shared import types
from tools import control
from tools.writer import KEY, Schema

_HEAD = """# Event catalogue

Made by `make schemas` from `shared/events/`; do not edit. Every event has the topic
`telar.<publisher>`, travels as CloudEvents 1.0 in binary mode and is numbered by topic and key.
The types of fields are those of `shared/types.py`; a field in *italics* may be missing.
The same as JSON Schema: `contracts/schemas/`; as AsyncAPI 3.0: `contracts/asyncapi.json`.
"""


def page(schemas: dict[str, Schema], consumers: dict[str, list[str]]) -> str:
    """The whole page."""
    aliases = _aliases()
    publishers = sorted({name.split(".")[1] for name in schemas})
    lines = [_HEAD]
    for publisher in publishers:
        own = {name: s for name, s in schemas.items() if name.split(".")[1] == publisher}
        lines += _overview(publisher, own, consumers)
        for name, schema in own.items():
            lines += _entry(name, schema, consumers[name], aliases)
    return "\n".join([*lines, *_control(aliases)])


def _control(aliases: dict[str, str]) -> Iterator[str]:
    """The topic on which services speak about the streams themselves."""
    yield f"## {control.TOPIC}\n\nPlain JSON, no CloudEvents: nothing is lost with it.\n"
    for kind, schema in control.MESSAGES.items():
        yield f"### {schema['title']}\n\n`{kind}`: {schema['description']}\n"
        yield from _table(schema, aliases)


def _overview(
    publisher: str, own: dict[str, Schema], consumers: dict[str, list[str]]
) -> Iterator[str]:
    yield f"## {publisher}\n\n| event | key | consumers |\n|---|---|---|"
    for name, schema in own.items():
        title = schema["title"]
        link = f"[{title}](#{title.lower()})"
        yield f"| {link} | `{schema[KEY]}` | {_listed(consumers[name])} |"
    yield ""


def _entry(
    name: str, schema: Schema, consumers: list[str], aliases: dict[str, str]
) -> Iterator[str]:
    yield f"### {schema['title']}\n\n`{name}`: {schema['description']}\n"
    yield f"Published by {name.split('.')[1]}, key `{schema[KEY]}`."
    yield f"Consumed by {_listed(consumers)}.\n"
    yield from _table(schema, aliases)


def _table(schema: Schema, aliases: dict[str, str]) -> Iterator[str]:
    yield "| field | type |\n|---|---|"
    for field, shape in _fields(schema, schema.get("$defs", {}), aliases):
        yield f"| {field} | {shape} |"
    payload = json.dumps(schema["examples"][0], ensure_ascii=False, indent=2)
    yield f"\n```json\n{payload}\n```\n"


def _listed(services: list[str]) -> str:
    return ", ".join(services) or "nobody yet"


def _fields(
    schema: Schema, defs: Schema, aliases: dict[str, str], within: str = ""
) -> Iterator[tuple[str, str]]:
    for name, inner in schema.get("properties", {}).items():
        full = f"`{within}{name}`"
        yield (full if name in schema.get("required", []) else f"*{full}*"), _shape(inner, aliases)
        many = inner.get("type") == "array"
        ref = (inner.get("items", {}) if many else inner).get("$ref")
        if ref:
            path = f"{within}{name}[]." if many else f"{within}{name}."
            yield from _fields(defs[ref.rpartition("/")[2]], defs, aliases, path)


def _shape(schema: Schema, aliases: dict[str, str]) -> str:
    alias = aliases.get(_bare(schema))
    if alias:
        return alias
    match schema:
        case {"$ref": ref}:
            return str(ref).rpartition("/")[2]
        case {"enum": values}:
            return ", ".join(f"`{value}`" for value in values)
        case {"const": value}:
            return f"`{value}`"
        case {"type": "array", "items": dict(inner)}:
            return f"list of {_shape(inner, aliases)}"
        case {"anyOf": choices}:
            return " or ".join(_shape(choice, aliases) for choice in choices)
        case {"pattern": pattern}:
            return "`" + pattern.replace("|", "\\|") + "`"
    return str(schema.get("type", "any"))


def _aliases() -> dict[str, str]:
    """The aliases of `shared/types.py` by the schema that each makes."""
    found: dict[str, str] = {}
    for name, alias in vars(types).items():
        if name[0].isupper() and hasattr(alias, "__metadata__"):
            found.setdefault(_bare(TypeAdapter(alias).json_schema()), name)
    return found


def _bare(schema: Any) -> str:
    """A schema without its words, to compare by."""
    kept = {k: v for k, v in schema.items() if k not in {"title", "description", "default"}}
    return json.dumps(kept, sort_keys=True)
