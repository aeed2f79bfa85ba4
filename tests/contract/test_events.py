"""Every published event: named and keyed by the house rules, readable, open, without a person."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings

from shared.chassis.envelope import encode_value
from shared.model import Event
from tests.contract.schema_strategies import values
from tools import registry
from tools.subschema import Schema
from tools.writer import writer_schema

EVENTS = registry.events()
PAIRS = [(event, writer_schema(event)) for event in EVENTS.values()]
NAMED = {"ids": list(EVENTS)}

IDENTIFIES = re.compile(
    r"(^|_)(name|surname|curp|rfc|nss|phone|mobile|email|mail|address|street|clabe|account|card"
    r"|birth\w*|born|age|photo|signature|latitude|longitude|ip|passport|notes?|comments?|text)(_|$)"
)
SENSITIVE = re.compile(
    r"(^|_)(languages?|ethnic\w*|indigenous|native|religion|disabilit\w*|health|sex|gender|facets?)"
    r"(_|$)"
)


def fields(schema: Schema, defs: Schema) -> list[tuple[str, Schema]]:
    """Every named place of a schema, at any depth, its references followed."""
    found: list[tuple[str, Schema]] = []
    for name, inner in schema.get("properties", {}).items():
        found += [(name, part) for part in parts(inner, defs)]
        for part in parts(inner, defs):
            found += fields(part, defs)
    return found


def parts(schema: Schema, defs: Schema) -> list[Schema]:
    if "$ref" in schema:
        return parts(defs[schema["$ref"].rpartition("/")[2]], defs)
    inner = [*schema.get("anyOf", []), *schema.get("oneOf", []), *schema.get("prefixItems", [])]
    inner += [schema["items"]] if "items" in schema else []
    return [deep for one in inner for deep in parts(one, defs)] or [schema]


@pytest.mark.parametrize("event", EVENTS.values(), **NAMED)
def test_a_type_is_named_after_its_class_and_its_publisher(event: type[Event]) -> None:
    kebab = re.sub(r"(?<!^)(?=[A-Z])", "-", event.__name__).lower()
    publisher = event.__module__.rpartition(".")[2]
    assert event.event_type == f"telar.{publisher}.{kebab}.v1"
    assert event.__doc__


@pytest.mark.parametrize("event", EVENTS.values(), **NAMED)
def test_a_fact_about_a_woman_is_keyed_by_her(event: type[Event]) -> None:
    about_money_of_a_pool = event.key_field == "pool_id"
    if "person_id" in event.model_fields and not about_money_of_a_pool:
        assert event.key_field == "person_id"


@pytest.mark.parametrize(("event", "schema"), PAIRS, **NAMED)
def test_an_event_holds_ids_codes_and_amounts_only(event: type[Event], schema: Schema) -> None:
    for name, part in fields(schema, schema.get("$defs", {})):
        formed = part.keys() & {"pattern", "format", "enum", "const", "properties"}
        plain = part.get("type") in {"integer", "boolean", "null"}
        assert formed or plain, f"{name} is free text or a free shape: {part}"
        assert not IDENTIFIES.search(name), f"{name} identifies a person"
        if event.key_field == "person_id":
            assert not SENSITIVE.search(name), f"{name} is sensitive where a person is known"


@pytest.mark.parametrize(("event", "schema"), PAIRS, **NAMED)
def test_the_example_is_valid_and_can_be_read(event: type[Event], schema: Schema) -> None:
    example = schema["examples"][0]
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    validator.validate(example)
    assert event.model_validate_json(json.dumps(example)).stream_key == example[event.key_field]


@pytest.mark.parametrize(("event", "schema"), PAIRS, **NAMED)
def test_what_is_written_follows_the_schema_and_is_read_back(
    event: type[Event], schema: Schema
) -> None:
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)

    @settings(max_examples=5, deadline=None, database=None)
    @given(values(schema))
    def round_trip(value: Any) -> None:
        fact = event.model_validate_json(json.dumps(value))
        written = encode_value(fact)
        validator.validate(json.loads(written))
        assert event.model_validate_json(written) == fact

    round_trip()


@pytest.mark.parametrize(("event", "schema"), PAIRS, **NAMED)
def test_a_reader_ignores_fields_of_a_later_version(event: type[Event], schema: Schema) -> None:
    example = schema["examples"][0]
    later = json.dumps(with_more(example))
    assert event.model_validate_json(later) == event.model_validate_json(json.dumps(example))


def with_more(value: Any) -> Any:
    match value:
        case dict():
            return {**{name: with_more(inner) for name, inner in value.items()}, "of_later": 1}
        case list():
            return [with_more(inner) for inner in value]
    return value
