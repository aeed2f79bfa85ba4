"""Keys whose next event cannot be applied now: it waits, with the later ones of its key.

Every other key goes on, and no partition ever pauses. A document of `parked` holds the events in
order; each transaction that writes one also writes the `streams` document of the key, so an
arrival, a retry and a release of one key always conflict and never overtake each other.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from shared.chassis import metrics, streams
from shared.chassis.envelope import Envelope, short
from shared.chassis.fold import Missing, Ref, Scope, stream_at, stream_ref
from shared.chassis.ports import Document, Record
from shared.model import Refused

COLLECTION = "parked"
QUARANTINE = "quarantine"

HELD_EVENTS = 200
HELD_BYTES = 1024 * 1024
"""A parked key holds no more than this; what comes later is asked for again on repair."""

GAP_PATIENCE = timedelta(seconds=15)
"""How long a missing event may be on its way before it is asked for."""

ATTEMPTS = 8
"""A head that failed so often is dead until an operator decides."""

BACKOFF_FIRST, BACKOFF_MOST = timedelta(seconds=1), timedelta(minutes=10)

Apply = Callable[[Scope, Envelope], None]


def parked_ref(topic: str, key: str) -> Ref:
    """The document that holds the waiting events of a topic and a key."""
    return Ref(COLLECTION, f"{short(topic)}/{key}")


def quarantine_ref(record: Record) -> Ref:
    """The document of a record without a valid place: it can never block a real key."""
    return Ref(QUARANTINE, f"{short(record.topic)}/{record.partition}/{record.offset}")


def quarantine(scope: Scope, record: Record, code: str, at: datetime) -> str:
    """Keep a record that has no valid place, with the reason; the partition goes on."""
    metrics.QUARANTINED.labels(short(record.topic), code).inc()
    kept = {
        "_id": quarantine_ref(record).id,
        "code": code,
        "at": at,
        "topic": record.topic,
        "key": record.key,
        "value": (record.value or b"")[:HELD_BYTES],
        "headers": [[name, value] for name, value in record.headers[:40]],
    }
    scope.put(quarantine_ref(record), kept)
    return code


def reason(scope: Scope, arrived: Envelope) -> str:
    """Why the key of this event is parked."""
    return str(scope.read(parked_ref(arrived.topic, arrived.key))["reason"])


def open_gap(scope: Scope, arrived: Envelope, at: datetime) -> None:
    """Park a key whose next event is missing."""
    parked = _empty(arrived, "gap", at + GAP_PATIENCE, at)
    _keep(scope, arrived.topic, arrived.key, _with_event(parked, arrived))


def open_failure(scope: Scope, arrived: Envelope, error: Exception, at: datetime) -> None:
    """Park a key whose next event fails in its handler."""
    parked = _empty(arrived, "failed", at + BACKOFF_FIRST, at)
    parked |= {"attempts": 1, "code": code_of(error)}
    metrics.HANDLER_FAILURES.labels(arrived.type, parked["code"]).inc()
    _keep(scope, arrived.topic, arrived.key, _with_event(parked, arrived))


def hold(scope: Scope, arrived: Envelope, at: datetime) -> None:
    """Let one more event wait with its key."""
    ref = parked_ref(arrived.topic, arrived.key)
    scope.need([ref])
    parked = scope.read(ref) or _empty(arrived, "gap", at + GAP_PATIENCE, at)
    _keep(scope, arrived.topic, arrived.key, _with_event(parked, arrived))


def drain(scope: Scope, topic: str, key: str, apply: Apply, at: datetime) -> None:
    """Apply what waits, in order, until it is done, fails, or something is missing."""
    parked = scope.read(parked_ref(topic, key))
    if parked is None:
        return
    left = [Envelope.from_document(event) for event in parked["events"]]
    while left:
        position, _ = streams.applied(stream_at(scope, stream_ref(key)), topic)
        left = [event for event in left if event.sequence > position]
        if not left or left[0].sequence > position + 1:
            break
        error = _try(scope, left[0], apply)
        if error is not None:
            _fail(scope, parked, left, error, at)
            return
    _settle(scope, parked, left, at)


def _try(scope: Scope, head: Envelope, apply: Apply) -> Exception | None:
    try:
        apply(scope, head)
    except Missing:
        raise
    except Exception as error:
        return error
    return None


def _fail(
    scope: Scope, parked: Document, left: list[Envelope], error: Exception, at: datetime
) -> None:
    same_head = parked["events"][0]["sequence"] == left[0].sequence
    attempts = parked["attempts"] + 1 if same_head else 1
    kept = {**parked, "events": [event.to_document() for event in left]}
    kept |= {"reason": "failed", "attempts": attempts, "code": code_of(error)}
    kept["next_attempt"] = at + backoff(attempts)
    if attempts >= ATTEMPTS:
        kept["reason"] = "dead"
        del kept["next_attempt"]
    metrics.HANDLER_FAILURES.labels(left[0].type, kept["code"]).inc()
    _keep(scope, parked["topic"], parked["key"], kept)


def _settle(scope: Scope, parked: Document, left: list[Envelope], at: datetime) -> None:
    topic, key = parked["topic"], parked["key"]
    if left or parked["dropped"]:
        kept = {**parked, "events": [event.to_document() for event in left]}
        kept |= {"reason": "gap", "attempts": 0, "dropped": False}
        _keep(scope, topic, key, kept | {"next_attempt": at + GAP_PATIENCE})
        return
    ref = stream_ref(key)
    scope.put(ref, streams.release(stream_at(scope, ref), topic))
    scope.put(parked_ref(topic, key), None)


def _empty(arrived: Envelope, why: str, next_attempt: datetime, at: datetime) -> Document:
    return {
        "_id": parked_ref(arrived.topic, arrived.key).id,
        "topic": arrived.topic,
        "key": arrived.key,
        "reason": why,
        "code": "",
        "attempts": 0,
        "next_attempt": next_attempt,
        "since": at,
        "events": [],
        "dropped": False,
    }


def _with_event(parked: Document, arrived: Envelope) -> Document:
    events = parked["events"]
    if any(event["sequence"] == arrived.sequence for event in events):
        return parked
    size = sum(len(event["value"]) for event in events) + len(arrived.value)
    if len(events) >= HELD_EVENTS or size > HELD_BYTES:
        return {**parked, "dropped": True}
    held = sorted([*events, arrived.to_document()], key=lambda event: event["sequence"])
    return {**parked, "events": held}


def _keep(scope: Scope, topic: str, key: str, parked: Document) -> None:
    ref = stream_ref(key)
    scope.put(ref, streams.park(stream_at(scope, ref), topic))
    scope.put(parked_ref(topic, key), parked)


def backoff(attempts: int) -> timedelta:
    """One second, doubling, ten minutes at the most."""
    return min(BACKOFF_FIRST * 2 ** (attempts - 1), BACKOFF_MOST)


def code_of(error: Exception) -> str:
    """What may be said of a failure: a refusal's code, else the kind of error. Never its text."""
    return error.code if isinstance(error, Refused) else type(error).__name__


def summary(parked: dict[str, Any]) -> dict[str, Any]:
    """What an operator sees of a parked key: no event bodies."""
    shown = {name: parked.get(name) for name in ("topic", "key", "reason", "code", "attempts")}
    first = parked["events"][0]["sequence"] if parked["events"] else None
    return {"id": parked["_id"], **shown, "head": first, "held": len(parked["events"])}
