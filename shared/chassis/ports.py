"""What the core asks of a store and of a bus. `mongo` and `kafka` are real, `memory` is for tests.

Every implementation passes the same suites (`tests/integration/store_suite.py`, `bus_suite.py`).

    StoreError
    ├── Conflict          run the transaction again: another one was first
    ├── UniqueViolated    a unique index refused one document
    ├── OutcomeUnknown    the commit may or may not have happened
    └── StoreUnavailable  no server answered in time
    BusError              not every record was acknowledged, or no broker answered in time
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

Document = dict[str, Any]


class StoreError(Exception):
    """The store could not do what was asked."""


class Conflict(StoreError):
    """Another transaction was first; nothing was written, run it again."""


class UniqueViolated(StoreError):
    """A unique index (other than `_id`) refused a document; nothing was written."""

    def __init__(self, collection: str, doc_id: str, index: str) -> None:
        super().__init__(f"{collection}: index {index}")
        self.collection, self.doc_id, self.index = collection, doc_id, index


class OutcomeUnknown(StoreError):
    """The commit was sent and its answer never came."""


class StoreUnavailable(StoreError):
    """No server answered in time; nothing is known to be written."""


class BusError(Exception):
    """Not every record was acknowledged, or no broker answered in time."""


@dataclass(frozen=True, slots=True)
class Put:
    """Write one document whole. `was` is the version that was loaded, None for a new one.

    A document without versions (offsets) is written with `versioned=False`: whatever was there.
    """

    collection: str
    document: Document
    was: int | None = None
    versioned: bool = True


@dataclass(frozen=True, slots=True)
class Drop:
    """Delete one document, if it still has the version that was loaded."""

    collection: str
    id: str
    was: int


Write = Put | Drop


class Instant(NamedTuple):
    """A field of a document that holds an instant: what many look at and one claims."""

    collection: str
    id: str
    field: str


Loaded = dict[str, dict[str, Document]]
"""Documents by collection and id."""


class Transaction(Protocol):
    """Snapshot reads and majority writes that become visible together, or not at all."""

    async def load(self, wanted: Mapping[str, Sequence[str]]) -> Loaded:
        """The documents that exist among these ids, one round trip a collection."""
        ...

    async def write(self, writes: Sequence[Write]) -> None:
        """Stage these writes, one round trip a collection. Raises `Conflict`, `UniqueViolated`."""
        ...

    async def commit(self) -> None:
        """Make it so. Raises `Conflict` or `OutcomeUnknown`; without it nothing happened."""
        ...


class Index:
    """An index of a collection. `only` makes it partial: documents that have this field.

    With `expires` a document goes when the instant in its field has passed.
    """

    def __init__(
        self,
        collection: str,
        *fields: str,
        unique: bool = False,
        only: str | None = None,
        expires: bool = False,
    ) -> None:
        self.collection, self.fields = collection, fields
        self.unique, self.only, self.expires = unique, only, expires

    @property
    def name(self) -> str:
        """The name of the index: its fields joined by `_`."""
        return "_".join(self.fields)


class Store(Protocol):
    """One service's database."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction; leaving without `commit` undoes it."""
        ...

    async def get(self, collection: str, doc_id: str) -> Document | None:
        """One document, majority read."""
        ...

    async def some(self, collection: str, ids: Sequence[str]) -> dict[str, Document]:
        """The documents that exist among these ids, one majority read."""
        ...

    async def page(
        self,
        collection: str,
        where: Mapping[str, Any],
        *,
        sort: str,
        after: tuple[Any, str] | None,
        limit: int,
    ) -> list[Document]:
        """Documents whose fields equal `where` (a list field contains it), by (sort, _id).

        `after` is the (sort value, _id) of the last one seen.
        """
        ...

    async def before(
        self, collection: str, field: str, moment: datetime, limit: int
    ) -> list[Document]:
        """Documents whose `field` is an instant not after `moment`, the oldest first."""
        ...

    async def move(
        self, place: Instant, was: datetime, to: datetime, also: Mapping[str, Any] | None = None
    ) -> bool:
        """Set an instant, and `also` these fields, if it still is `was`; no version change.

        False when somebody was first.
        """
        ...

    async def clear(self, collection: str, ids: Sequence[str], field: str) -> None:
        """Unset one field of these documents."""
        ...

    async def resend(
        self, topic: str, key: str, first: int, last: int, limit: int
    ) -> list[Document]:
        """Events of the outbox in this stream, by sequence, as stored in `outbox.events`."""
        ...

    async def count(self, collection: str, where: Mapping[str, Any], having: str | None) -> int:
        """How many documents equal `where` and have the field `having`."""
        ...

    async def totals(self) -> tuple[dict[str, int], dict[str, int]]:
        """The sums of the last numbers given (`out`) and applied (`in`) in `streams`, by topic."""
        ...

    async def ensure(self, collections: Sequence[str], indexes: Sequence[Index]) -> None:
        """Create what is missing; harmless to repeat and to race."""
        ...

    async def time(self) -> datetime:
        """The server's clock, UTC."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to send. The key decides the partition."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """A record as Kafka holds it; any part may be missing or broken."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int = 0


Place = tuple[str, int]
"""A topic and a partition."""


class Producer(Protocol):
    """Sends in order; replaces its client after any terminal error (aiokafka#1017)."""

    async def send(self, records: Sequence[Outgoing], deadline: float) -> dict[Place, int]:
        """All acknowledged by every in-sync replica within `deadline` seconds, or `BusError`.

        Returns the offset after the last of them, by partition.
        """
        ...

    async def close(self, deadline: float) -> None:
        """Stop within `deadline` seconds, whatever the broker does (aiokafka#1101)."""
        ...


class Consumer(Protocol):
    """A member of a group. Its offsets are for display: correctness is in `streams`."""

    async def poll(self) -> list[Record]:
        """Up to 500 records; `BusError` when this member is broken and must be replaced.

        None while no broker answers or the group settles: a member that stays needs no new place.
        """
        ...

    async def commit(self, offsets: Mapping[Place, int], deadline: float) -> None:
        """Note the next offset a partition; a failure is the caller's to ignore."""
        ...

    def assigned(self) -> frozenset[Place]:
        """The partitions that this member has now."""
        ...

    def lag(self) -> dict[Place, int]:
        """Records not yet polled, by partition, as far as known."""
        ...

    async def close(self, deadline: float) -> None:
        """Leave the group within `deadline` seconds."""
        ...


class Offsets(Protocol):
    """Where a partition was left, asked whenever one is assigned."""

    async def __call__(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """The stored next offset of those partitions that have one."""
        ...


class Bus(Protocol):
    """One Kafka cluster."""

    async def producer(self) -> Producer:
        """A producer, connected."""
        ...

    async def consumer(self, group: str, topics: Sequence[str], offsets: Offsets) -> Consumer:
        """A group member. It starts at the lower of the group's and the stored offset."""
        ...

    async def ensure(self, topics: Mapping[str, int], passing: Collection[str] = ()) -> None:
        """Create topics with so many partitions where they are missing.

        Nothing expires but the records of `passing` topics, after a day.
        """
        ...

    async def ends(self, topic: str) -> dict[Place, int]:
        """The offset that the next record of each partition will have."""
        ...

    async def progress(self, group: str, topic: str) -> dict[Place, tuple[int, int]]:
        """By partition the offset that the group noted (0 before the first), and the end."""
        ...

    def scan(
        self, topic: str, starts: Mapping[Place, int] | None = None
    ) -> AsyncIterator[list[Record]]:
        """Read a topic once without a group, from these offsets (or the start) to its end now."""
        ...

    async def ping(self) -> None:
        """A broker answers, or `BusError`."""
        ...

    async def close(self) -> None:
        """Let go of every connection, whatever the broker does."""
        ...
