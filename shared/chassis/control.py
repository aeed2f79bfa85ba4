"""What services say to each other on `telar.control`: which events are missing, and how far
streams go. Anybody may write rubbish there: what cannot be read is passed over.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from shared.chassis.envelope import short
from shared.chassis.ports import Outgoing, Record
from shared.model import Frozen

CONTROL = "telar.control"

MOST_HEADS = 500
"""Heads in one message."""

Key = Annotated[str, Field(min_length=1, max_length=200)]
Number = Annotated[int, Field(ge=0, lt=10**18)]


class Head(Frozen):
    """How far the stream of a key goes: its last number and that event's hash."""

    key: Key
    sequence: Number
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Ask(Frozen):
    """Send these events of a stream again, and say where it ends.

    `known` is the highest number that the asking service has seen, from whomever.
    """

    kind: Literal["ask"] = "ask"
    at: AwareDatetime
    topic: Annotated[str, Field(max_length=100)]
    key: Key
    first: Number
    last: Number
    known: Number


class Heads(Frozen):
    """Where streams of a topic end. `asked` repeats the `known` of the ask that this answers."""

    kind: Literal["heads"] = "heads"
    at: AwareDatetime
    topic: Annotated[str, Field(max_length=100)]
    asked: Number | None = None
    heads: Annotated[tuple[Head, ...], Field(max_length=MOST_HEADS)]


Message = Ask | Heads

_MESSAGE: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="kind")])


def outgoing(message: Message) -> Outgoing:
    """The record that says it."""
    name = message.key if isinstance(message, Ask) else message.kind
    return Outgoing(CONTROL, f"{short(message.topic)}/{name}".encode(), _MESSAGE.dump_json(message))


def read(record: Record) -> Message | None:
    """What a record says, if anything."""
    try:
        return _MESSAGE.validate_json(record.value or b"")
    except ValidationError:
        return None
