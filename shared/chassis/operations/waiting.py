"""Keys that wait and records set aside. No body of an event is ever shown."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from fastapi import Query as Parameter

from shared.chassis import parking, quarantine, streams
from shared.chassis.envelope import Envelope
from shared.chassis.http import Page, Paging, Query, Router
from shared.chassis.operations.shown import READERS
from shared.model import Frozen, Unknown

Why = Literal["gap", "failed", "dead", "fork"]
"""What keeps a key waiting."""


class Parked(Frozen):
    """A key that waits."""

    topic: str
    key: str
    reason: str
    code: str
    attempts: int
    since: datetime
    next_attempt: datetime | None
    head: int | None
    held: int
    known: int

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Without what is held."""
        held = document["events"]
        shown = {name: document.get(name) for name in cls.model_fields}
        head = held[0]["sequence"] if held else None
        return cls.model_validate({**shown, "head": head, "held": len(held)})


class Held(Frozen):
    """An event that waits, or that told of a fork."""

    sequence: int
    id: str
    type: str
    time: str
    previous: str
    digest: str
    bytes: int

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Its place and identity."""
        event = Envelope.from_document(dict(document))
        fields = {name: getattr(event, name) for name in cls.model_fields if name != "bytes"}
        return cls(**fields, bytes=len(event.value))


class Head(Frozen):
    """Where the publisher says that another branch ends."""

    sequence: int
    digest: str


class ParkedKey(Parked):
    """A key that waits, with all that is known of it."""

    position: tuple[int, str]
    events: list[Held]
    fork: Held | Head | None


class Quarantined(Frozen):
    """A record without a valid place."""

    id: str
    code: str
    topic: str
    at: datetime
    key: str | None
    bytes: int

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Without its body."""
        shown = {name: document[name] for name in ("code", "topic", "at")}
        key, size = _text(document["key"]), len(document["value"])
        return cls.model_validate({"id": document["_id"], "key": key, "bytes": size, **shown})


class QuarantinedRecord(Quarantined):
    """The same with its headers, as far as they are text."""

    headers: list[tuple[str, str | None]]


def add(router: Router, prefix: str) -> None:
    """Register the reads."""
    _add_parked(router, prefix)
    _add_quarantine(router, prefix)


def _add_parked(router: Router, prefix: str) -> None:
    @router.get(f"{prefix}/parked", policy=READERS)
    async def list_parked(query: Query, paging: Paging, reason: Why | None = None) -> Page[Parked]:
        where = {"reason": reason} if reason else {}
        return await query.shown(parking.COLLECTION, where, paging, of=Parked.of)

    @router.get(f"{prefix}/parked/one", policy=READERS)
    async def show_parked(
        query: Query,
        topic: Annotated[str, Parameter(max_length=100)],
        key: Annotated[str, Parameter(max_length=200)],
    ) -> ParkedKey:
        found = await query.store.get(parking.COLLECTION, parking.parked_ref(topic, key).id)
        if found is None:
            raise Unknown("parked-unknown")
        stream = await query.store.get(streams.COLLECTION, key) or streams.fresh(key)
        fork = found.get("fork")
        return ParkedKey(
            **Parked.of(found).model_dump(),
            position=streams.applied(stream, topic),
            events=[Held.of(event) for event in found["events"]],
            fork=_branch(fork) if fork else None,
        )


def _add_quarantine(router: Router, prefix: str) -> None:
    @router.get(f"{prefix}/quarantine", policy=READERS)
    async def list_quarantine(query: Query, paging: Paging) -> Page[Quarantined]:
        return await query.shown(quarantine.COLLECTION, {}, paging, of=Quarantined.of, sort="at")

    @router.get(f"{prefix}/quarantine/one", policy=READERS)
    async def show_quarantined(
        query: Query, record: Annotated[str, Parameter(alias="id", max_length=200)]
    ) -> QuarantinedRecord:
        found = await query.store.get(quarantine.COLLECTION, record)
        if found is None:
            raise Unknown("quarantine-unknown")
        headers = [(title, _text(value)) for title, value in found["headers"]]
        return QuarantinedRecord.model_validate(
            {**Quarantined.of(found).model_dump(), "headers": headers}
        )


def _branch(fork: Mapping[str, Any]) -> Held | Head:
    if "value" in fork:
        return Held.of(fork)
    return Head(sequence=fork["sequence"], digest=fork["digest"])


def _text(value: bytes | None) -> str | None:
    """What is plain text may be shown; anything else only counts."""
    if value is None:
        return None
    text = value[:300].decode("ascii", errors="replace")
    return text if text.isprintable() and text.isascii() else None
