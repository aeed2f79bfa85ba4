"""What a transaction loaded, and what its intents made of it: documents in memory. No I/O."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

import structlog
from prometheus_client import Counter
from pydantic import ValidationError

from shared.chassis.envelope import Envelope
from shared.chassis.errors import StateUnreadable
from shared.chassis.ports import Document, Drop, Loaded, Put, Write
from shared.model import Aggregate, Frozen, Handlers

BATCH_BYTES = 4 * 1024 * 1024
"""A batch is closed once its events are this large: an outbox document is one commit's events."""

log = structlog.get_logger("telar.batch")

Check = Callable[[Write], None]
"""Raises what keeps this from being written, whoever writes it."""


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


@dataclass(slots=True)
class Cell:
    """A document in memory: the version it was loaded with, and its value now."""

    was: int | None
    value: Any
    changed: bool = False

    def next(self) -> "Cell":
        """The document once this is written."""
        return Cell(None if self.value is None else (self.was or 0) + 1, self.value)


class Batch:
    """What one transaction loaded, and what its intents made of it so far."""

    def __init__(
        self, handlers: Handlers, before: "Batch | None" = None, check: Check | None = None
    ) -> None:
        self.handlers, self.before, self.check = handlers, before, check
        self.cells: dict[Ref, Cell] = {}
        self.unreadable: set[Ref] = set()
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
            try:
                was = _version(document)
                cell = self._left_by_before(ref, was) or Cell(was, _value(ref, document))
            except StateUnreadable:
                # It is the failure of whoever needs it, and of nobody else.
                self.unreadable.add(ref)
                continue
            self._loaded[ref] = cell.value
            self.cells[ref] = cell

    def lacking(self, refs: Iterable[Ref]) -> Exception:
        """Why these are not here: one cannot be read, or they were not loaded yet."""
        missing = Missing(refs)
        return missing if self.unreadable.isdisjoint(missing.refs) else StateUnreadable()

    def _left_by_before(self, ref: Ref, was: int | None) -> Cell | None:
        """What the batch before this one is about to write, where it was not to be seen yet."""
        cell = self.before.cells.get(ref) if self.before else None
        return cell.next() if cell and cell.changed and cell.was == was else None

    def reset(self) -> None:
        """Forget what was folded, keep what was loaded (before folding again)."""
        self.cells = {ref: Cell(cell.was, self._loaded[ref]) for ref, cell in self.cells.items()}
        self.published.clear()
        self.counted.clear()
        self.bytes = 0

    def writes(self) -> list[Write]:
        """Every changed document, whole, one version up."""
        return [write_of(ref, cell) for ref, cell in self.cells.items() if cell.changed]


def _version(document: Document | None) -> int | None:
    """Without one a document could only be written as if it were new: a conflict without end."""
    if document is not None and not isinstance(document.get("version"), int):
        log.warning("state.unreadable", id=document.get("_id"), faults=["version"])
        raise StateUnreadable
    return document["version"] if document else None


def _value(ref: Ref, document: Document | None) -> Any:
    if document is None or ref.kind is None:
        return document
    return state_of(ref.kind, document)


def state_of(aggregate: Aggregate[Any], document: Document) -> Any:
    """The state that a stored document holds. Raises `StateUnreadable`."""
    known = aggregate.state.model_fields
    fields = {name: value for name, value in document.items() if name in known}
    if "id" in known:
        fields["id"] = document["_id"]
    try:
        return aggregate.state.model_validate(fields)
    except Exception as error:
        log.warning("state.unreadable", aggregate=aggregate.name, faults=_faults(error))
        raise StateUnreadable from None


def _faults(error: Exception) -> list[str]:
    """Which fields are not as they should be, and how; never a value."""
    if not isinstance(error, ValidationError):
        return [type(error).__name__]
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return sorted({":".join([*map(str, one["loc"][:1]), one["type"]]) for one in found})


def document_of(aggregate: Aggregate[Any], doc_id: str, state: Frozen, version: int) -> Document:
    """The document that holds a state: `_id`, `version`, `due` where there is one, its fields."""
    document: Document = {"_id": doc_id, "version": version}
    document.update(state.model_dump(exclude={"id"}))
    due = aggregate.due(state) if aggregate.due else None
    if due is not None:
        document["due"] = due
    return document


def write_of(ref: Ref, cell: Cell) -> Write:
    """What writes a changed document."""
    if cell.value is None:
        return Drop(ref.collection, ref.id, cell.was or 0)
    version = (cell.was or 0) + 1
    if ref.kind is not None:
        return Put(ref.collection, document_of(ref.kind, ref.id, cell.value, version), cell.was)
    return Put(ref.collection, {**cell.value, "version": version}, cell.was)
