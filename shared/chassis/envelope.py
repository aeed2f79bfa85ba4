"""A published event as it stands in the outbox and in Kafka: CloudEvents 1.0, binary mode.

The value bytes are made once, hashed as sent, and never encoded again by anybody.
"""

import hashlib
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from shared.chassis.errors import Malformed
from shared.chassis.logging import trace_id
from shared.chassis.ports import Outgoing, Record
from shared.model import EVENT_BYTES, Context, Event, Fact, Refused

GENESIS = "0" * 64
"""The `previous` of the first event of a stream."""


class Envelope(NamedTuple):
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
        document = self._asdict()
        for name in _MAY_BE_ABSENT:
            if document[name] is None:
                del document[name]
        return document

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Envelope":
        """Read back what `to_document` made; other fields are ignored."""
        return cls(**{name: document[name] for name in cls._fields if name in document})

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


_MAY_BE_ABSENT = ("traceparent", "on_behalf_of")


@lru_cache(1024)
def topic_of(event_type: str) -> str:
    """`telar.grants.award-offered.v1` belongs to the topic `telar.grants`."""
    return ".".join(event_type.split(".")[:2])


@lru_cache(256)
def short(topic: str) -> str:
    """A topic's name in a document: without dots, which would nest (`telar.grants`: `grants`)."""
    return topic.removeprefix("telar.").replace(".", "-")


def encode_value(event: Event) -> bytes:
    """The JSON that is sent, private fields left out. Raises `Refused` above 256 KiB."""
    value = event.__pydantic_serializer__.to_json(event, exclude=set(event.private_fields) or None)
    if len(value) > EVENT_BYTES:
        raise Refused("event-too-large")
    return value


@lru_cache(64)
def timestamp(at: datetime) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def envelope(event: Event, value: bytes, event_id: str, now: Context) -> Envelope:
    """An event that has no number yet: sequence 0."""
    event_type = event.event_type or ""
    return Envelope(
        event_id,
        topic_of(event_type),
        event.stream_key,
        0,
        GENESIS,
        event_type,
        timestamp(now.at),
        value,
        now.cause,
        now.correlation,
        now.traceparent,
        now.actor,
        now.on_behalf_of,
    )


def encode(sealed: Envelope) -> Outgoing:
    """As a Kafka record, attributes in `ce_` headers. The actor stays at home."""
    key, event_type = sealed.key.encode(), sealed.type.encode()
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", sealed.id.encode()),
        ("ce_source", b"/telar/" + short(sealed.topic).encode()),
        ("ce_type", event_type),
        ("ce_time", sealed.time.encode()),
        ("ce_subject", key),
        ("ce_sequence", b"%d" % sealed.sequence),
        ("ce_previous", sealed.previous.encode()),
        ("ce_partitionkey", key),
        ("ce_correlationid", sealed.correlation.encode()),
        ("ce_causationid", sealed.cause.encode()),
        ("ce_dataschema", b"urn:telar:schema:" + event_type),
        ("content-type", b"application/json"),
    )
    if sealed.traceparent:
        headers += (("ce_traceparent", sealed.traceparent.encode()),)
    return Outgoing(sealed.topic, key, sealed.value, headers)


ATTRIBUTE_BYTES = 1024
"""Ours are shorter. What an event causes says its correlation and its id again, and is sent too."""

_YEARS = range(1970, 3000)
"""What lies outside can be compared, but neither stored nor moved by a time zone."""

ATTRIBUTES = (
    "ce_id",
    "ce_type",
    "ce_time",
    "ce_sequence",
    "ce_previous",
    "ce_correlationid",
    "ce_causationid",
    "ce_specversion",
    "ce_source",
    "ce_partitionkey",
    "ce_traceparent",
)
"""Those that are read; the first seven may be anything but empty, the last may be missing."""


def decode(record: Record) -> Envelope:
    """Read a record's place and identity; its value stays bytes. Raises `Malformed` with a code."""
    key, *text = _text(record)
    fault = _fault_of_record(record, key) or _fault_of_attributes(text, record.topic, key)
    if fault is not None:
        raise Malformed(fault)
    event_id, kind, time, number, previous, correlation, cause, *_, trace = text
    return Envelope(
        event_id,
        record.topic,
        key,
        _sequence(number),
        previous,
        kind,
        _time(time),
        record.value or b"",
        cause,
        correlation,
        trace or None,
    )


def _text(record: Record) -> list[str]:
    """The key and the attributes, empty where there is none: all of them decoded at once."""
    there = [raw for _, raw in record.headers if raw]  # a header may have no value
    if not b"".join(there).isascii() and any(
        raw and not raw.isascii() for name, raw in record.headers if name[:3] == "ce_"
    ):
        raise Malformed("headers-not-text")
    given = dict(record.headers)
    raw = [record.key or b"", *[given.get(name) or b"" for name in ATTRIBUTES]]
    joined = b"\n".join(raw)
    if len(joined) > ATTRIBUTE_BYTES and max(map(len, raw[1:])) > ATTRIBUTE_BYTES:
        raise Malformed("attribute-too-long")
    try:
        text = joined.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise Malformed("headers-not-text") from None
    if len(text) != len(raw):
        raise Malformed("headers-not-text")
    return text


def _time(text: str) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Malformed("time-malformed") from None
    if at.tzinfo is None or at.year not in _YEARS:
        raise Malformed("time-malformed")
    return text


def _fault_of_record(record: Record, key: str) -> str | None:
    if not record.value:
        return "value-missing"
    if len(record.value) > EVENT_BYTES:
        return "value-too-large"
    if not key:
        return "key-missing"
    return "key-too-long" if len(key) > 200 else None


def _fault_of_attributes(text: list[str], topic: str, key: str) -> str | None:
    _, kind, *_, version, source, of, _ = text
    if not all(text[:7]):
        return "attribute-missing"
    if version != "1.0":
        return "not-a-cloudevent"
    if source != "/telar/" + short(topic):
        return "source-wrong"
    if topic_of(kind) != topic:
        return "type-of-another-topic"
    return None if of == key else "key-differs"


def _sequence(text: str) -> int:
    if not (text.isdecimal() and text.isascii() and len(text) <= 15) or int(text) < 1:
        raise Malformed("sequence-malformed")
    return int(text)
