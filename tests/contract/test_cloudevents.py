"""Records read back by the CloudEvents project's own package, and described by AsyncAPI 3."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event

from shared.chassis import control
from shared.chassis.envelope import Envelope, decode, encode, encode_value, envelope
from shared.chassis.ports import Outgoing, Record
from shared.model import Context
from tools import registry
from tools.paths import CONTRACTS
from tools.writer import writer_schema

EVENTS = registry.events()
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOW = Context(
    at=datetime(2026, 3, 2, 12, 0, 0, 123000, tzinfo=UTC),
    actor="officer-1",
    cause="cause-1",
    correlation="correlation-1",
    traceparent=TRACE,
)
ASYNCAPI: dict[str, Any] = json.loads((CONTRACTS / "asyncapi.json").read_text("utf-8"))


def sealed(event_type: str) -> Envelope:
    event = EVENTS[event_type].model_validate(writer_schema(EVENTS[event_type])["examples"][0])
    return envelope(event, encode_value(event), "0195c1c2-0000-7000-8000-000000000001", NOW)


def numbered(event_type: str) -> Envelope:
    document = sealed(event_type).to_document()
    return Envelope.from_document({**document, "sequence": 1})


def as_record(sent: Outgoing) -> Record:
    return Record(sent.topic, 0, 0, sent.key, sent.value, sent.headers)


@pytest.mark.parametrize("event_type", EVENTS)
def test_another_reader_of_cloudevents_understands_a_record(event_type: str) -> None:
    sent = encode(numbered(event_type))
    read = from_kafka_event(KafkaMessage(dict(sent.headers), sent.key, sent.value))
    assert read.get_attributes() == {
        "specversion": "1.0",
        "id": "0195c1c2-0000-7000-8000-000000000001",
        "source": f"/telar/{event_type.split('.')[1]}",
        "type": event_type,
        "time": NOW.at,
        "subject": sent.key.decode(),
        "sequence": "1",
        "previous": "0" * 64,
        "partitionkey": sent.key.decode(),
        "correlationid": "correlation-1",
        "causationid": "cause-1",
        "traceparent": TRACE,
        "dataschema": writer_schema(EVENTS[event_type])["$id"],
        "datacontenttype": "application/json",
    }
    assert read.get_data() == json.loads(sent.value)


@pytest.mark.parametrize("event_type", EVENTS)
def test_a_record_comes_back_as_what_was_sent(event_type: str) -> None:
    before = numbered(event_type)
    after = decode(as_record(encode(before)))
    assert after.digest == before.digest
    assert after == Envelope.from_document({**before.to_document(), "actor": ""})


@pytest.mark.parametrize("event_type", EVENTS)
def test_headers_value_and_key_are_as_asyncapi_says(event_type: str) -> None:
    sent = encode(numbered(event_type))
    message = ASYNCAPI["components"]["messages"][event_type]
    headers = {name: raw.decode() for name, raw in sent.headers}
    check(message["headers"], headers)
    check(message["payload"], json.loads(sent.value))
    check(message["bindings"]["kafka"]["key"], sent.key.decode())
    described = ASYNCAPI["components"]["schemas"]["CloudEventsHeaders"]["properties"]
    assert set(headers) == set(described)
    assert f"#/components/messages/{event_type}" in [
        each["$ref"] for each in ASYNCAPI["channels"][sent.topic]["messages"].values()
    ]


def check(schema: dict[str, Any], value: Any) -> None:
    whole = {**schema, "components": ASYNCAPI["components"]}
    jsonschema_rs.validate(whole, value)


@pytest.mark.parametrize("kind", ["ask", "heads"])
def test_what_is_said_on_the_control_topic_is_as_asyncapi_says(kind: str) -> None:
    message = ASYNCAPI["components"]["messages"][f"{control.CONTROL}.{kind}"]
    example = message["examples"][0]["payload"]
    assert example["kind"] == kind
    said = control.read(Record(control.CONTROL, 0, 0, b"key", json.dumps(example).encode()))
    assert said is not None
    sent = control.outgoing(said)
    assert sent.topic in ASYNCAPI["channels"]
    check(message["payload"], json.loads(sent.value))


def test_the_document_is_valid_asyncapi() -> None:
    packed = Path(__file__).with_name("asyncapi-3.0.0.json.gz").read_bytes()
    jsonschema_rs.Draft7Validator(json.loads(gzip.decompress(packed))).validate(ASYNCAPI)


def test_every_reference_of_the_document_leads_somewhere() -> None:
    for ref in references(ASYNCAPI):
        node: Any = ASYNCAPI
        for part in ref.removeprefix("#/").split("/"):
            node = node[part]


def references(node: Any) -> list[str]:
    match node:
        case {"$ref": str(ref)}:
            return [ref]
        case dict():
            return [ref for value in node.values() for ref in references(value)]
        case list():
            return [ref for value in node for ref in references(value)]
    return []
