"""A published event as it stands in the outbox and in Kafka: CloudEvents 1.0, binary mode.

The value bytes are made once, hashed as sent, and never encoded again by anybody.
"""

import hashlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from shared.chassis.errors import Malformed
from shared.chassis.logging import trace_id
from shared.chassis.ports import Outgoing, Record
from shared.model import EVENT_BYTES, Context, Event, Fact, Refused

GENESIS = "0" * 64
"""The `previous` of the first event of a stream."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """One numbered event of the stream of a topic and a key."""

    id: str
    topic: str
    key: str
    sequence: int
    previous: str
    type: str
    time: str
    value: bytes
    cause: str
    correlation: str
    traceparent: str | None = None
    actor: str = ""
    on_behalf_of: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 over the place, the identity and the bytes as sent; the next one's `previous`."""
        parts = (self.previous, self.topic, self.key, str(self.sequence), self.id, self.type)
        head = "\n".join((*parts, self.time)).encode()
        return hashlib.sha256(head + b"\n" + self.value).hexdigest()

    @property
    def at(self) -> datetime:
        """When it was decided, by the publisher's database clock."""
        return datetime.fromisoformat(self.time)

    def to_document(self) -> dict[str, Any]:
        """As it is kept in the outbox and in `parked`."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Envelope":
        """Read back what `to_document` made; other fields are ignored."""
        return cls(**{name: document[name] for name in cls.__slots__ if name in document})

    def about(self) -> dict[str, str]:
        """Where a log line of its handling belongs."""
        told = {"event": self.id, "correlation": self.correlation, "causation": self.cause}
        return told | trace_id(self.traceparent)

    def fact(self, partition: int) -> Fact:
        """What a handler may know of it."""
        return Fact(
            id=self.id,
            type=self.type,
            at=self.at,
            topic=self.topic,
            key=self.key,
            sequence=self.sequence,
            partition=partition,
            correlation=self.correlation,
        )


def topic_of(event_type: str) -> str:
    """`telar.grants.award-offered.v1` belongs to the topic `telar.grants`."""
    return ".".join(event_type.split(".")[:2])


def short(topic: str) -> str:
    """A topic's name in a document: without dots, which would nest (`telar.grants`: `grants`)."""
    return topic.removeprefix("telar.").replace(".", "-")


def encode_value(event: Event) -> bytes:
    """The JSON that is sent, private fields left out. Raises `Refused` above 256 KiB."""
    value = event.__pydantic_serializer__.to_json(event, exclude=set(event.private_fields) or None)
    if len(value) > EVENT_BYTES:
        raise Refused("event-too-large")
    return value


def timestamp(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def envelope(event: Event, value: bytes, event_id: str, now: Context) -> Envelope:
    """An event that has no number yet: sequence 0."""
    event_type = event.event_type or ""
    return Envelope(
        id=event_id,
        topic=topic_of(event_type),
        key=event.stream_key,
        sequence=0,
        previous=GENESIS,
        type=event_type,
        time=timestamp(now.at),
        value=value,
        cause=now.cause,
        correlation=now.correlation,
        traceparent=now.traceparent,
        actor=now.actor,
        on_behalf_of=now.on_behalf_of,
    )


def encode(sealed: Envelope) -> Outgoing:
    """As a Kafka record, attributes in `ce_` headers. The actor stays at home."""
    headers = [
        ("ce_specversion", "1.0"),
        ("ce_id", sealed.id),
        ("ce_source", "/telar/" + short(sealed.topic)),
        ("ce_type", sealed.type),
        ("ce_time", sealed.time),
        ("ce_subject", sealed.key),
        ("ce_sequence", str(sealed.sequence)),
        ("ce_previous", sealed.previous),
        ("ce_partitionkey", sealed.key),
        ("ce_correlationid", sealed.correlation),
        ("ce_causationid", sealed.cause),
        ("ce_dataschema", f"urn:telar:schema:{sealed.type}"),
        ("content-type", "application/json"),
    ]
    if sealed.traceparent:
        headers.append(("ce_traceparent", sealed.traceparent))
    return Outgoing(
        topic=sealed.topic,
        key=sealed.key.encode(),
        value=sealed.value,
        headers=tuple((name, value.encode()) for name, value in headers),
    )


_NEEDED = ("id", "type", "time", "sequence", "previous", "correlationid", "causationid")


def decode(record: Record) -> Envelope:
    """Read a record's place and identity; its value stays bytes. Raises `Malformed` with a code."""
    headers = {name: raw for name, raw in record.headers if name.startswith("ce_")}
    try:
        text = {name[3:]: raw.decode("ascii") for name, raw in headers.items()}
        key = (record.key or b"").decode("ascii")
    except UnicodeDecodeError:
        raise Malformed("headers-not-text") from None
    _check_origin(record, text, key)
    sequence = _sequence(text["sequence"])
    try:
        at = datetime.fromisoformat(text["time"])
    except ValueError:
        raise Malformed("time-malformed") from None
    if at.tzinfo is None:
        raise Malformed("time-malformed")
    return Envelope(
        id=text["id"],
        topic=record.topic,
        key=key,
        sequence=sequence,
        previous=text["previous"],
        type=text["type"],
        time=text["time"],
        value=record.value or b"",
        cause=text["causationid"],
        correlation=text["correlationid"],
        traceparent=text.get("traceparent"),
    )


def _check_origin(record: Record, text: dict[str, str], key: str) -> None:
    faults = {
        "value-missing": not record.value,
        "value-too-large": len(record.value or b"") > EVENT_BYTES,
        "key-missing": not key,
        "key-too-long": len(key) > 200,
        "attribute-missing": any(not text.get(name) for name in _NEEDED),
        "not-a-cloudevent": text.get("specversion") != "1.0",
        "source-wrong": text.get("source") != "/telar/" + short(record.topic),
        "type-of-another-topic": topic_of(text.get("type", "")) != record.topic,
        "key-differs": text.get("partitionkey") != key,
    }
    for code, broken in faults.items():
        if broken:
            raise Malformed(code)


def _sequence(text: str) -> int:
    if not (text.isdecimal() and text.isascii() and len(text) <= 18) or int(text) < 1:
        raise Malformed("sequence-malformed")
    return int(text)
