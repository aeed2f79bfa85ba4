"""Folding intents in memory, one after another, on a copy-on-write overlay. No I/O.

A `Batch` holds what a transaction loaded and what the folded intents made of it. A `Scope` is one
intent's view of it: its effects join the batch only when the whole intent succeeds. What was not
loaded is asked for with `Missing`: the writer loads it, for all intents at once, and folds again.
"""

from collections.abc import Collection, Sequence
from typing import Any

import structlog
import uuid_utils
from prometheus_client import Counter

from shared.chassis import streams
from shared.chassis.batch import Batch, Cell, Count, Ref, in_order, write_of
from shared.chassis.envelope import Envelope, encode_value, envelope
from shared.chassis.errors import StateUnwritable
from shared.chassis.ports import Document
from shared.model import Context, Do, Event, Fact, Handlers, Require, Step

MAX_ROUNDS = 8
"""Reactions to reactions; beyond it is a fault of the rules."""


ENVELOPE_BYTES = 700
"""What an event takes in an outbox document besides its value."""

INTENT_BYTES = 8 * 1024 * 1024
"""What one intent may say: with a full batch before it, half of what a document may hold."""

log = structlog.get_logger("telar.fold")


class TooManyRounds(Exception):
    """The rules of a service react to each other without end."""


class Scope:
    """One intent's view of a batch; a scope within a scope is an attempt that may fail alone."""

    __slots__ = ("batch", "counted", "events", "named", "numbered", "parent", "values")

    def __init__(self, batch: Batch, parent: "Scope | None" = None) -> None:
        self.batch, self.parent = batch, parent
        self.values: dict[Ref, Any] = {}
        self.named: set[Ref] = set()
        self.events: list[tuple[Event, bytes, Context]] = []
        self.counted: list[Count] = []
        self.numbered: list[Envelope] | None = None

    def need(self, refs: Collection[Ref]) -> None:
        """Raise `Missing` for those that were not loaded yet; or that one cannot be read."""
        there = self.batch.cells
        for ref in refs:
            if ref not in there:
                raise self.batch.lacking(one for one in refs if one not in there)

    def read(self, ref: Ref) -> Any:
        """The value as this intent sees it; None when there is no such document."""
        scope: Scope | None = self
        while scope is not None:
            if ref in scope.values:
                return scope.values[ref]
            scope = scope.parent
        cell = self.batch.cells.get(ref)
        if cell is None:
            raise self.batch.lacking([ref])
        return cell.value

    def put(self, ref: Ref, value: Any) -> None:
        """Change a document; None deletes it."""
        if ref not in self.batch.cells:
            raise self.batch.lacking([ref])
        self.values[ref] = value

    def count(self, counter: Counter, *labels: str) -> None:
        """Raise this counter by one if and when the intent is committed."""
        self.counted.append((counter, labels))

    def version(self, ref: Ref) -> int:
        """The version that the document has once what is folded so far is written."""
        cell = self.batch.cells[ref]
        return (cell.was or 0) + int(cell.changed)

    def attempt(self) -> "Scope":
        """A scope within this one, whose effects are lost unless it joins."""
        return Scope(self.batch, self)

    def join(self) -> None:
        """The attempt succeeded: its effects become the parent's."""
        assert self.parent is not None
        self.parent.values.update(self.values)
        self.parent.named |= self.named
        self.parent.events += self.events
        self.parent.counted += self.counted

    def seal(self) -> list[Envelope]:
        """Give each event of this intent its place in its stream, once."""
        if self.numbered is None:
            self.numbered = self._number()
        return self.numbered

    def close(self) -> None:
        """The intent succeeded: number its events and give its effects to the batch.

        If it changed any state, every aggregate that it named gets a new version, also one that
        had nothing to say: or two replicas could each decide on what the other changes.
        """
        numbered = self.seal()
        changed = bool(self.values.keys() & self.named)
        for ref in in_order(self.named - self.values.keys()) if changed else ():
            self.values[ref] = self.read(ref)
        for ref, value in self.values.items():
            cell = self.batch.cells[ref]
            cell.value, cell.changed = value, value is not None or cell.was is not None
        self.batch.published += numbered
        self.batch.counted += self.counted
        self.batch.bytes += sum([len(event.value) + ENVELOPE_BYTES for event in numbered])

    def _number(self) -> list[Envelope]:
        if not self.events:
            return []
        refs = [stream_ref(event.stream_key) for event, _, _ in self.events]
        self.need(refs)
        numbered = []
        for ref, (event, value, now) in zip(refs, self.events, strict=True):
            bare = envelope(event, value, str(uuid_utils.uuid7()), now)
            self.values[ref], sealed = streams.number(stream_at(self, ref), bare)
            numbered.append(sealed)
        return numbered


class Careful(Scope):
    """Tries what it changed before it gives it on, so that what cannot be written is its own fault.

    It builds and encodes a document for every intent that changes it, where a batch does so once:
    so intents are only folded in one after a batch could not be written.
    """

    __slots__ = ()

    def attempt(self) -> "Careful":
        """As careful."""
        return Careful(self.batch, self)

    def join(self) -> None:
        """Give its effects to the parent. Raises `StateUnwritable`."""
        self._try()
        super().join()

    def close(self) -> None:
        """Give its effects to the batch. Raises `StateUnwritable`."""
        self._try()
        super().close()

    def _try(self) -> None:
        assert self.batch.check is not None
        if sum(len(value) + ENVELOPE_BYTES for _, value, _ in self.events) > INTENT_BYTES:
            log.warning("state.unwritable", collection="outbox", error="too large")
            raise StateUnwritable
        for ref in in_order(self.values.keys() | self.named) if self.values else ():
            try:
                changed = Cell(self.batch.cells[ref].was, self.read(ref))
                self.batch.check(write_of(ref, changed))
            except Exception as error:
                kind = type(error).__name__
                log.warning("state.unwritable", collection=ref.collection, error=kind)
                raise StateUnwritable from None


def stream_ref(key: str) -> Ref:
    """The document of positions of a key."""
    return Ref(streams.COLLECTION, key)


def stream_at(scope: Scope, ref: Ref) -> Document:
    """The positions of a key, also before its first event."""
    return scope.read(ref) or streams.fresh(ref.id)


def refs_of(steps: Sequence[Step]) -> list[Ref]:
    """The aggregates that these steps name."""
    return [Ref(step.aggregate.name, step.id, step.aggregate) for step in steps]


def run(scope: Scope, steps: Sequence[Step], now: Context) -> None:
    """Fold steps and, breadth-first, the service's own reactions to what they say."""
    for _ in range(MAX_ROUNDS):
        refs = refs_of(steps)
        scope.need(refs)
        named = zip(refs, steps, strict=True)
        events = [event for ref, step in named for event in _step(scope, ref, step, now)]
        steps = [step for event in events for step in _react(scope.batch.handlers, event, now)]
        if not steps:
            return
    raise TooManyRounds


def _step(scope: Scope, ref: Ref, step: Step, now: Context) -> list[Event]:
    scope.named.add(ref)
    if isinstance(step, Require):
        step.check(scope.read(ref), now)
        return []
    return _decide(scope, ref, step, now)


def _decide(scope: Scope, ref: Ref, step: Do, now: Context) -> list[Event]:
    state = scope.read(ref)
    said = step.aggregate.decide(state, step.command, now)
    for event in said:
        state = step.aggregate.evolve(state, event)
        if isinstance(event, Event) and event.event_type:
            scope.events.append((event, encode_value(event), now))
    if said:
        scope.put(ref, state)
    return [event for event in said if isinstance(event, Event)]


def _react(handlers: Handlers, event: Event, now: Context) -> list[Step]:
    handler = handlers.get(type(event))
    return handler(event, lambda: _own(event, now)) if handler else []


def _own(event: Event, now: Context) -> Fact:
    kind = event.event_type or type(event).__name__
    key = event.stream_key if event.event_type else ""
    return Fact(now.cause, kind, now.at, "", key, 0, partition=-1, correlation=now.correlation)
