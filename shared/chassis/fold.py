"""Folding intents in memory, one after another, on a copy-on-write overlay. No I/O.

A `Batch` holds what a transaction loaded and what the folded intents made of it. A `Scope` is one
intent's view of it: its effects join the batch only when the whole intent succeeds. What was not
loaded is asked for with `Missing`: the writer loads it, for all intents at once, and folds again.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

import uuid_utils
from prometheus_client import Counter

from shared.chassis import streams
from shared.chassis.envelope import Envelope, encode_value, envelope
from shared.chassis.ports import Document, Drop, Loaded, Put, Write
from shared.model import Aggregate, Context, Do, Event, Fact, Frozen, Handlers, Require, Step

MAX_ROUNDS = 8
"""Reactions to reactions; beyond it is a fault of the rules."""

BATCH_BYTES = 4 * 1024 * 1024
"""A batch is closed once its events are this large: an outbox document is one commit's events."""


class Ref(NamedTuple):
    """One document: of an aggregate's collection, or one of the chassis's own (kind None)."""

    collection: str
    id: str
    kind: Aggregate[Any] | None = None


def in_order(refs: Iterable[Ref]) -> list[Ref]:
    """As every process would take them; a set has an order of its own in each."""
    return sorted(refs, key=_PLACE)


_PLACE = itemgetter(0, 1)


def by_collection(refs: Iterable[Ref]) -> dict[str, list[str]]:
    """The ids to load, a list a collection."""
    wanted: dict[str, list[str]] = {}
    for ref in refs:
        wanted.setdefault(ref.collection, []).append(ref.id)
    return wanted


Count = tuple[Counter, tuple[str, ...]]
"""A counter and its labels: raised once what it counts is committed, however often it is folded."""


class Missing(Exception):
    """These documents must be loaded before this intent can be folded."""

    def __init__(self, refs: Iterable[Ref]) -> None:
        super().__init__()
        self.refs = frozenset(refs)


class TooManyRounds(Exception):
    """The rules of a service react to each other without end."""


@dataclass(slots=True)
class Cell:
    """A document in memory: the version it was loaded with, and its value now."""

    was: int | None
    value: Any
    changed: bool = False


class Batch:
    """What one transaction loaded, and what its intents made of it so far."""

    def __init__(self, handlers: Handlers) -> None:
        self.handlers = handlers
        self.cells: dict[Ref, Cell] = {}
        self.published: list[Envelope] = []
        self.counted: list[Count] = []
        self.bytes = 0
        self._loaded: dict[Ref, Any] = {}

    def add(self, refs: Iterable[Ref], loaded: Loaded) -> None:
        """Take in what was loaded; a ref without a document is known to be absent."""
        for ref in refs:
            if ref in self.cells:
                continue
            document = loaded.get(ref.collection, {}).get(ref.id)
            was = document.get("version") if document else None
            self._loaded[ref] = _value(ref, document)
            self.cells[ref] = Cell(was, self._loaded[ref])

    def reset(self) -> None:
        """Forget what was folded, keep what was loaded (before folding again)."""
        self.cells = {ref: Cell(cell.was, self._loaded[ref]) for ref, cell in self.cells.items()}
        self.published.clear()
        self.counted.clear()
        self.bytes = 0

    def writes(self) -> list[Write]:
        """Every changed document, whole, one version up."""
        return [_write(ref, cell) for ref, cell in self.cells.items() if cell.changed]


def _value(ref: Ref, document: Document | None) -> Any:
    if document is None or ref.kind is None:
        return document
    return state_of(ref.kind, document)


def state_of(aggregate: Aggregate[Any], document: Document) -> Any:
    """The state that a stored document holds."""
    known = aggregate.state.model_fields
    fields = {name: value for name, value in document.items() if name in known}
    if "id" in known:
        fields["id"] = document["_id"]
    return aggregate.state.model_validate(fields)


def document_of(aggregate: Aggregate[Any], doc_id: str, state: Frozen, version: int) -> Document:
    """The document that holds a state: `_id`, `version`, `due` where there is one, its fields."""
    document: Document = {"_id": doc_id, "version": version}
    document.update(state.model_dump(exclude={"id"}))
    due = aggregate.due(state) if aggregate.due else None
    if due is not None:
        document["due"] = due
    return document


def _write(ref: Ref, cell: Cell) -> Write:
    if cell.value is None:
        return Drop(ref.collection, ref.id, cell.was or 0)
    version = (cell.was or 0) + 1
    if ref.kind is not None:
        return Put(ref.collection, document_of(ref.kind, ref.id, cell.value, version), cell.was)
    return Put(ref.collection, {**cell.value, "version": version}, cell.was)


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
        """Raise `Missing` for those that were not loaded yet."""
        there = self.batch.cells
        for ref in refs:
            if ref not in there:
                raise Missing(one for one in refs if one not in there)

    def read(self, ref: Ref) -> Any:
        """The value as this intent sees it; None when there is no such document."""
        scope: Scope | None = self
        while scope is not None:
            if ref in scope.values:
                return scope.values[ref]
            scope = scope.parent
        cell = self.batch.cells.get(ref)
        if cell is None:
            raise Missing([ref])
        return cell.value

    def put(self, ref: Ref, value: Any) -> None:
        """Change a document; None deletes it."""
        if ref not in self.batch.cells:
            raise Missing([ref])
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
        for ref in in_order(self.named) if changed else ():
            self.values.setdefault(ref, self.read(ref))
        for ref, value in self.values.items():
            cell = self.batch.cells[ref]
            cell.value, cell.changed = value, value is not None or cell.was is not None
        self.batch.published += numbered
        self.batch.counted += self.counted
        self.batch.bytes += sum(len(event.value) for event in numbered)

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
