"""Keys whose next event cannot be applied now: it waits, with the later ones of its key.

Every other key goes on, and no partition ever pauses. A document of `parked` holds the events in
order; each transaction that writes one also writes the `streams` document of the key, so an
arrival, a retry and a release of one key always conflict and never overtake each other.

    gap     the next event is missing: asked for, and dead when nobody has it
    failed  its handler fails: tried again with back-off, and then dead
    dead    waits for an operator (or for the missing event, should it come after all)
    fork    the stream has two branches: waits for an operator to say which one holds
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import accumulate

import structlog

from shared.chassis import filled, logging, metrics, streams
from shared.chassis.batch import Missing, Ref
from shared.chassis.envelope import Envelope, short
from shared.chassis.fold import Scope, stream_at, stream_ref
from shared.chassis.ports import Document
from shared.model import Refused

COLLECTION = "parked"

HELD_EVENTS = 200
HELD_BYTES = 1024 * 1024
"""A parked key holds the lowest numbers, no more than this: the others are asked for again."""

GAP_PATIENCE = timedelta(seconds=15)
"""How long a missing event may be on its way before it is asked for."""

ATTEMPTS = 8
"""A head that failed, or was asked for, so often is dead until an operator decides."""

UNANSWERED = "gap-unanswered"
"""Why a gap is dead: neither the missing event nor a higher head came."""

BACKOFF_FIRST, BACKOFF_MOST = timedelta(seconds=1), timedelta(minutes=10)

log = structlog.get_logger("telar.parking")

Apply = Callable[[Scope, Envelope], None]


def parked_ref(topic: str, key: str) -> Ref:
    """The document that holds the waiting events of a topic and a key."""
    return Ref(COLLECTION, f"{short(topic)}/{key}")


def open_gap(scope: Scope, later: Envelope, at: datetime) -> None:
    """Park a key whose next event is missing, with the later one that told."""
    keep(scope, _with_event(scope, _empty(later.topic, later.key, "gap", at), later))


def expect(scope: Scope, topic: str, key: str, known: int, at: datetime) -> None:
    """The publisher has got as far as `known`: what is missing until there is asked for."""
    ref = parked_ref(topic, key)
    scope.need([ref])
    parked = scope.read(ref) or _empty(topic, key, "gap", at)
    if not is_gap(parked) or parked["known"] >= known:
        return  # somebody's decision is waited for, or it is known already
    kept = {"next_attempt": at + GAP_PATIENCE, **parked, "known": known}
    keep(scope, kept | {"reason": "gap", "attempts": 0, "code": ""})


def open_failure(scope: Scope, arrived: Envelope, error: Exception, at: datetime) -> None:
    """Park a key whose next event fails in its handler."""
    parked = _with_event(scope, _empty(arrived.topic, arrived.key, "failed", at), arrived)
    parked |= {"attempts": 1, "code": code_of(error), "next_attempt": at + BACKOFF_FIRST}
    scope.count(metrics.HANDLER_FAILURES, arrived.type, parked["code"])
    _say(arrived, error, 1)
    keep(scope, parked)


def fork(scope: Scope, topic: str, key: str, other: Document, at: datetime) -> None:
    """Park a key of whose stream another branch is known to exist, with the evidence."""
    ref = parked_ref(topic, key)
    scope.need([ref])
    parked = scope.read(ref) or _empty(topic, key, "fork", at)
    if "fork" not in parked or _is_the_event_of(parked["fork"], other):
        keep(scope, _forked(parked, other))
    elif "value" in other and other["sequence"] > parked["known"]:
        event = Envelope.from_document(other)  # its branch goes on
        keep(scope, _with_event(scope, parked, event))


def _is_the_event_of(head: Document, other: Document) -> bool:
    """Whether this is the event of which only the publisher's word was known."""
    if "value" in head or "value" not in other:
        return False
    event = Envelope.from_document(other)
    return (event.sequence, event.digest) == (head["sequence"], head["digest"])


def hold(scope: Scope, arrived: Envelope, at: datetime) -> None:
    """Let one more event wait with its key."""
    ref = parked_ref(arrived.topic, arrived.key)
    scope.need([ref])
    parked = scope.read(ref) or _empty(arrived.topic, arrived.key, "gap", at)
    keep(scope, _with_event(scope, parked, arrived))


def wants_it(scope: Scope, arrived: Envelope) -> bool:
    """Whether the next event is what this key was waiting for, and not somebody's decision."""
    return is_gap(scope.read(parked_ref(arrived.topic, arrived.key)))


def is_gap(parked: Document) -> bool:
    """Whether something is missing, asked for or given up."""
    return parked["reason"] == "gap" or parked["code"] == UNANSWERED


def drain(  # noqa: PLR0913  which key, how, when
    scope: Scope, topic: str, key: str, apply: Apply, at: datetime, *, moved: bool = False
) -> None:
    """Apply what waits, in order, until it is done, fails, forks, or something is missing.

    `moved` tells that the position was moved before.
    """
    parked = scope.read(parked_ref(topic, key))
    if parked is None or parked["reason"] == "fork":
        return
    left = [Envelope.from_document(event) for event in parked["events"]]
    while left:
        stream = stream_at(scope, stream_ref(key))
        position, _ = streams.applied(stream, topic)
        left = [event for event in left if event.sequence > position]
        if not left or left[0].sequence > position + 1:
            break
        if streams.judge(stream, left[0]) is streams.Verdict.FORK:
            keep(scope, _forked(_left(parked, left[1:]), left[0].to_document()))
            return
        if (error := _try(scope, left, apply)) is not None:
            _fail(scope, parked, left, error, at)
            return
        _note(scope, parked, left[0])
        moved = True
    settle(scope, _left(parked, left), at, moved=moved)


def _note(scope: Scope, parked: Document, applied: Envelope) -> None:
    """What went by here before there was a handler, but had its effect now, is not made up for."""
    held = next(one for one in parked["events"] if one["sequence"] == applied.sequence)
    if not held.get("handled") and scope.batch.handlers.named(applied.type):
        filled.note(scope, applied)


def _try(scope: Scope, left: Sequence[Envelope], apply: Apply) -> Exception | None:
    """Apply the first; what the others will ask for is asked for with it.

    Else each of them would cost the whole batch one more load and fold.
    """
    try:
        apply(scope, left[0])
    except Missing as first:
        raise Missing(first.refs.union(*(_asks(scope, one, apply) for one in left[1:]))) from None
    except Exception as error:
        return error
    return None


def _asks(scope: Scope, later: Envelope, apply: Apply) -> frozenset[Ref]:
    try:
        apply(scope.attempt(), later)
    except Missing as more:
        return more.refs
    except Exception:  # it will be said when it is its turn, if it still fails then
        return frozenset()
    return frozenset()


def _fail(
    scope: Scope, parked: Document, left: list[Envelope], error: Exception, at: datetime
) -> None:
    same_head = parked["events"][0]["sequence"] == left[0].sequence
    attempts = parked["attempts"] + 1 if same_head else 1
    kept = _left(parked, left) | {"attempts": attempts, "code": code_of(error)}
    kept |= {"reason": "failed", "next_attempt": at + backoff(attempts)}
    scope.count(metrics.HANDLER_FAILURES, left[0].type, kept["code"])
    _say(left[0], error, attempts)
    keep(scope, dead(kept) if attempts >= ATTEMPTS else kept)


def _say(failed: Envelope, error: Exception, attempt: int) -> None:
    # No whole traceback: when a release is broken, this is said of hundreds of events a second.
    where = logging.place(error)
    with logging.Inside(failed.about):
        log.warning(
            "handler.failed", type=failed.type, code=code_of(error), where=where, attempt=attempt
        )


def settle(scope: Scope, parked: Document, at: datetime, *, moved: bool) -> None:
    """Nothing more can be applied: release the key, or wait for what is missing.

    What was dropped is asked for once its turn has come, and at once: it was here already.
    """
    topic, key = parked["topic"], parked["key"]
    position, _ = streams.applied(stream_at(scope, stream_ref(key)), topic)
    is_its_turn = parked["dropped"] and not parked["events"]
    if moved and not parked["events"] and not is_its_turn and position >= parked["known"]:
        release(scope, topic, key)
        return
    attempts = 0 if moved else parked["attempts"] + 1
    patience = min(GAP_PATIENCE * 2**attempts, BACKOFF_MOST)
    kept = parked | {"reason": "gap", "attempts": attempts, "code": ""}
    kept["dropped"] = parked["dropped"] and not is_its_turn
    kept["next_attempt"] = at if is_its_turn else at + patience
    keep(scope, dead(kept | {"code": UNANSWERED}) if attempts >= ATTEMPTS else kept)


def release(scope: Scope, topic: str, key: str) -> None:
    """Nothing of this key waits any more."""
    ref = stream_ref(key)
    scope.put(ref, streams.release(stream_at(scope, ref), topic))
    scope.put(parked_ref(topic, key), None)


def dead(parked: Document) -> Document:
    """The same, waiting for an operator."""
    return {**{name: value for name, value in parked.items() if name != "next_attempt"}} | {
        "reason": "dead"
    }


def _forked(parked: Document, other: Document) -> Document:
    known = max(parked["known"], other["sequence"])
    return dead(parked) | {"reason": "fork", "code": "fork", "fork": other, "known": known}


def _left(parked: Document, left: Sequence[Envelope]) -> Document:
    numbers = {event.sequence for event in left}
    return {**parked, "events": [one for one in parked["events"] if one["sequence"] in numbers]}


def _empty(topic: str, key: str, why: str, at: datetime) -> Document:
    return {
        "_id": parked_ref(topic, key).id,
        "topic": topic,
        "key": key,
        "reason": why,
        "code": "",
        "attempts": 0,
        "since": at,
        "next_attempt": at + GAP_PATIENCE,
        "known": 0,
        "events": [],
        "dropped": False,
    }


def _with_event(scope: Scope, parked: Document, arrived: Envelope) -> Document:
    events = parked["events"]
    for event in events:
        if event["sequence"] == arrived.sequence:
            same = Envelope.from_document(event).digest == arrived.digest
            return parked if same else _forked(parked, arrived.to_document())
    handled = scope.batch.handlers.named(arrived.type) is not None
    one = arrived.to_document() | {"handled": handled and arrived.sequence > _passed(parked)}
    there = sorted([*events, one], key=lambda event: event["sequence"])
    room = _room(there)
    kept = {**parked, "events": there[:room], "known": max(parked["known"], arrived.sequence)}
    if gone := there[room:]:
        passed = [one["sequence"] for one in gone if not one.get("handled")]
        kept |= {"dropped": True, "passed": max([_passed(parked), *passed])}
    return kept


def _passed(parked: Document) -> int:
    """The highest number that was let go of by a release without a handler for it."""
    return int(parked.get("passed", 0))


def _room(events: Sequence[Document]) -> int:
    """How many of the lowest may be held: never so few that the next one has no place."""
    sizes = accumulate(len(event["value"]) for event in events)
    fit = sum(size <= HELD_BYTES for size in sizes)
    return max(1, min(fit, HELD_EVENTS))


def keep(scope: Scope, parked: Document) -> None:
    """Write what is held; the streams document of the key is raised with it."""
    ref = stream_ref(parked["key"])
    scope.put(ref, streams.park(stream_at(scope, ref), parked["topic"]))
    scope.put(parked_ref(parked["topic"], parked["key"]), parked)


def backoff(attempts: int) -> timedelta:
    """One second, doubling, ten minutes at the most."""
    return min(BACKOFF_FIRST * 2 ** (attempts - 1), BACKOFF_MOST)


def code_of(error: Exception) -> str:
    """What may be said of a failure: a refusal's code, else the kind of error. Never its text."""
    return error.code if isinstance(error, Refused) else type(error).__name__
