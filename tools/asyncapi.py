"""The AsyncAPI 3.0 document: topics, messages, CloudEvents headers, who sends and reads."""

import tomllib
from collections.abc import Iterable
from typing import Any

from tools import control
from tools.paths import ROOT
from tools.writer import KEY, Schema

_BINDING = {"bindingVersion": "0.5.0"}
_TEXT: Schema = {"type": "string", "minLength": 1}
_HEADERS: dict[str, Schema] = {
    "ce_specversion": {"const": "1.0"},
    "ce_id": _TEXT,
    "ce_source": {"type": "string", "pattern": "^/telar/[a-z]+$"},
    "ce_type": _TEXT,
    "ce_time": {"type": "string", "format": "date-time"},
    "ce_subject": _TEXT,
    "ce_sequence": {"type": "string", "pattern": "^[1-9][0-9]*$"},
    "ce_previous": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "ce_partitionkey": _TEXT,
    "ce_correlationid": _TEXT,
    "ce_causationid": _TEXT,
    "ce_traceparent": _TEXT,
    "ce_dataschema": _TEXT,
    "content-type": {"const": "application/json"},
}
_OPTIONAL = {"ce_traceparent"}
_ABOUT = (
    "CloudEvents 1.0 in binary mode. `ce_sequence` counts the events of one topic and key from 1; "
    "`ce_previous` is the SHA-256 of the one before. Readers ignore fields that they do not know."
)


def document(schemas: dict[str, Schema], consumers: dict[str, list[str]]) -> dict[str, Any]:
    """The whole document; it refers to nothing outside itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    topics = sorted({_topic(name) for name in schemas})
    return {
        "asyncapi": "3.0.0",
        "id": "urn:telar",
        "info": {
            "title": "Telar",
            "version": project["version"],
            "description": _ABOUT,
            "license": {"name": project["license"]},
        },
        "defaultContentType": "application/json",
        "channels": {
            **{topic: _channel(topic, schemas) for topic in topics},
            control.TOPIC: _control_channel(),
        },
        "operations": _operations(topics, schemas, consumers) | _control(topics, consumers),
        "components": {
            "messages": {name: _message(name, schema) for name, schema in schemas.items()}
            | {_on_control(kind): _control_message(kind) for kind in control.MESSAGES},
            "schemas": _schemas(schemas),
        },
    }


def _topic(event_type: str) -> str:
    return ".".join(event_type.split(".")[:2])


def _channel(topic: str, names: Iterable[str]) -> dict[str, Any]:
    own = [name for name in names if _topic(name) == topic]
    return {
        "address": topic,
        "description": f"The facts that {topic.removeprefix('telar.')} publishes, in order by key.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in own},
        "bindings": {"kafka": {"topic": topic, **_BINDING}},
    }


def _control_channel() -> dict[str, Any]:
    names = {kind: _on_control(kind) for kind in control.MESSAGES}
    return {
        "address": control.TOPIC,
        "description": "What services say to each other about the streams: which events are "
        "missing, and how far streams go. Plain JSON; nothing is lost with it.",
        "messages": {
            kind: {"$ref": f"#/components/messages/{name}"} for kind, name in names.items()
        },
        "bindings": {"kafka": {"topic": control.TOPIC, **_BINDING}},
    }


def _on_control(kind: str) -> str:
    return f"{control.TOPIC}.{kind}"


def _control_message(kind: str) -> dict[str, Any]:
    schema = control.MESSAGES[kind]
    return {
        "name": _on_control(kind),
        "title": schema["title"],
        "summary": schema["description"],
        "contentType": "application/json",
        "payload": {k: v for k, v in schema.items() if k != "examples"},
        "bindings": {"kafka": {"key": {"type": "string"}, **_BINDING}},
        "examples": [{"payload": payload} for payload in schema["examples"]],
    }


def _control(topics: list[str], consumers: dict[str, list[str]]) -> dict[str, Any]:
    """Subscribers ask and learn how far streams go; publishers answer and tell it."""
    publishers = {topic.removeprefix("telar.") for topic in topics}
    readers = {service for services in consumers.values() for service in services}
    said = [
        *((service, "ask", "send", "ask") for service in readers),
        *((service, "learn", "receive", "heads") for service in readers),
        *((service, "answer", "receive", "ask") for service in publishers),
        *((service, "tell", "send", "heads") for service in publishers),
    ]
    return {
        f"{service}.{verb}.control": {
            "action": action,
            "channel": {"$ref": f"#/channels/{control.TOPIC}"},
            "messages": [{"$ref": f"#/channels/{control.TOPIC}/messages/{kind}"}],
        }
        for service, verb, action, kind in sorted(said)
    }


def _operations(
    topics: list[str], names: Iterable[str], consumers: dict[str, list[str]]
) -> dict[str, Any]:
    sends = {(topic.removeprefix("telar."), "publish", topic): [] for topic in topics}
    reads: dict[tuple[str, str, str], list[str]] = {}
    for name in names:
        topic = _topic(name)
        sends[topic.removeprefix("telar."), "publish", topic].append(name)
        for service in consumers[name]:
            reads.setdefault((service, "consume", topic), []).append(name)
    return {
        f"{service}.{verb}.{topic.removeprefix('telar.')}": {
            "action": "send" if verb == "publish" else "receive",
            "channel": {"$ref": f"#/channels/{topic}"},
            "messages": [{"$ref": f"#/channels/{topic}/messages/{name}"} for name in types],
        }
        for (service, verb, topic), types in sorted((sends | reads).items())
    }


def _message(name: str, schema: Schema) -> dict[str, Any]:
    own = {
        "ce_type": {"const": name},
        "ce_source": {"const": "/" + _topic(name).replace(".", "/")},
        "ce_dataschema": {"const": schema["$id"]},
    }
    return {
        "name": name,
        "title": schema["title"],
        "summary": schema["description"],
        "contentType": "application/json",
        "headers": {
            "type": "object",
            "allOf": [{"$ref": "#/components/schemas/CloudEventsHeaders"}],
            "properties": own,
        },
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "bindings": {"kafka": {"key": schema["properties"][schema[KEY]], **_BINDING}},
        "examples": [{"payload": payload} for payload in schema["examples"]],
    }


def _schemas(schemas: dict[str, Schema]) -> dict[str, Schema]:
    required = [name for name in _HEADERS if name not in _OPTIONAL]
    headers = {"type": "object", "properties": _HEADERS, "required": required}
    found: dict[str, Schema] = {"CloudEventsHeaders": headers}
    for name, schema in schemas.items():
        parts = {k: v for k, v in schema.items() if k not in {"$schema", "$id", "$defs"}}
        found[name] = _moved(parts, name)
        for inner, definition in schema.get("$defs", {}).items():
            found[f"{name}.{inner}"] = _moved(definition, name)
    return found


def _moved(node: Any, name: str) -> Any:
    """The same with `#/$defs/X` pointing at the components of this document."""
    match node:
        case {"$ref": str(ref), **rest}:
            return {"$ref": f"#/components/schemas/{name}.{ref.rpartition('/')[2]}", **rest}
        case dict():
            return {key: _moved(value, name) for key, value in node.items()}
        case list():
            return [_moved(value, name) for value in node]
    return node
