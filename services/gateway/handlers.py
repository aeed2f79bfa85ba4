"""Facts in, views out: what happened to each woman, and to each thing of the programme.

Every fact of a woman is an entry of her timeline and may be counted; every other one is a chapter
of the history of its pool, cohort, fair …
"""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

from pydantic import JsonValue

import shared.events
from services.gateway.domain.counters import COUNTERS, Add
from services.gateway.domain.history import HISTORY, Chapter, Write
from services.gateway.domain.people import PEOPLE, Apply, Counted, Counts
from services.gateway.domain.timeline import TIMELINE, Entry, Note, entry_id
from shared.events import enrollment, grants, trade, training
from shared.model import Do, Event, Fact, Handlers, Step

handlers = Handlers()

TIMES: dict[type[Event], str] = {
    enrollment.PersonRegistered: "registered",
    enrollment.EnrolmentSubmitted: "submitted",
    enrollment.ApplicantEnrolled: "enrolled",
    enrollment.EnrolmentDeclined: "declined",
    enrollment.EnrolmentWithdrawn: "withdrawn",
    training.SeatConfirmed: "seats_confirmed",
    training.CourseCompleted: "courses_completed",
    training.CertificateIssued: "certificates_issued",
    training.CompletionRevoked: "certificates_revoked",
    grants.ApplicationSubmitted: "applications",
    grants.AwardAccepted: "awards_accepted",
    grants.PaymentConfirmed: "payments_confirmed",
    trade.PlaceConfirmed: "places_confirmed",
}
"""How often it happened."""

AMOUNTS: dict[type[Event], str] = {
    grants.AwardAccepted: "accepted_amount",
    grants.PaymentConfirmed: "paid_amount",
}
"""How much money it was, in centavos."""


def facts() -> Iterator[type[Event]]:
    """Every published type, found by folder."""
    for found in pkgutil.iter_modules(shared.events.__path__, "shared.events."):
        module = importlib.import_module(found.name)
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Event) and value.event_type:
                yield value


def facts_of_persons() -> list[type[Event]]:
    """Every published type that is keyed by a person."""
    return [one for one in facts() if one.key_field == "person_id"]


def facts_of_things() -> list[type[Event]]:
    """Every other published type."""
    return [one for one in facts() if one.key_field != "person_id"]


@handlers.on(*facts_of_persons())
def record(event: Event, fact: Fact) -> list[Step]:
    """One more entry, and what it counts for."""
    person_id = event.stream_key
    entry = Entry(person_id=person_id, **_happening(event, fact))
    applied = Apply(
        person_id=person_id,
        topic=fact.topic,
        partition=fact.partition,
        at=fact.at,
        counts=_counts(event),
        state=event.state if isinstance(event, enrollment.PersonRegistered) else None,
    )
    return [Do(TIMELINE, entry.id, Note(entry=entry)), Do(PEOPLE, person_id, applied)]


@handlers.on(*facts_of_things())
def write(event: Event, fact: Fact) -> list[Step]:
    """One more chapter."""
    chapter = Chapter(thing_id=event.stream_key, **_happening(event, fact))
    return [Do(HISTORY, chapter.id, Write(chapter=chapter))]


@handlers.on(Counted)
def count(event: Counted) -> list[Step]:
    """The counter that belongs to where the fact came from: no other partition writes it."""
    part = f"{event.state}:{event.topic}:{event.partition}"
    change = Add(id=part, state=event.state, counts=event.counts, at=event.at)
    return [Do(COUNTERS, part, change)]


def _happening(event: Event, fact: Fact) -> dict[str, Any]:
    return {
        "id": entry_id(event.stream_key, event.publisher(), fact.sequence),
        "service": event.publisher(),
        "fact": fact.type.split(".")[2],
        "at": fact.at,
        "sequence": fact.sequence,
        "details": _details(event),
    }


def _counts(event: Event) -> Counts:
    counts: Counts = {}
    if type(event) in TIMES:
        counts[TIMES[type(event)]] = 1
    if type(event) in AMOUNTS:
        counts[AMOUNTS[type(event)]] = getattr(event, "amount")  # noqa: B009  each of them has one
    return counts


def _details(event: Event) -> dict[str, JsonValue]:
    fields = event.model_dump(mode="json", exclude={event.key_field})
    return {name: _small(value) for name, value in fields.items()}


def _small(value: JsonValue) -> JsonValue:
    if isinstance(value, list):
        return [_small(one) for one in value]
    if isinstance(value, dict):
        return _flat(value)
    return value


def _flat(value: dict[str, JsonValue]) -> str:
    """A leaf of a rule tree by its code, what it came to and perhaps why; else names and values."""
    if "code" in value:
        return "=".join(str(part) for part in value.values() if part is not None)
    return " ".join(f"{name}={part}" for name, part in value.items())
