"""What the core asks of one service's database."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, NamedTuple, Protocol

Document = dict[str, Any]


class Put(NamedTuple):
    """Write one document whole. `was` is the version that was loaded, None for a new one.

    A document without versions (offsets) is written with `versioned=False`: whatever was there.
    """

    collection: str
    document: Document
    was: int | None = None
    versioned: bool = True


class Drop(NamedTuple):
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


Sent = Callable[[], None]


def nobody() -> None:
    """Nobody wants to be told."""


class Snapshot(Protocol):
    """The store as it was when something was first read from this."""

    async def load(self, wanted: Mapping[str, Sequence[str]]) -> Loaded:
        """The documents that exist among these ids, one round trip a collection at the most."""
        ...


class Transaction(Snapshot, Protocol):
    """Snapshot reads and majority writes that become visible together, or not at all."""

    async def write(self, writes: Sequence[Write]) -> None:
        """Stage these writes, one round trip a collection. Raises `Conflict`, `UniqueViolated`.

        And `ValueError`, before anything was sent, where one of them could not be kept.
        """
        ...

    async def commit(self, writes: Sequence[Write] = (), sent: Sent = nobody) -> None:
        """Stage these too, and make it so; without it nothing happened. Raises as `write` does.

        And `OutcomeUnknown`. `sent` is told, once or twice, that all is staged and the commit goes
        out: until then nothing has happened whatever is raised, also where the caller goes away;
        from then on it may have, but for `Conflict`.
        """
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

    def snapshot(self) -> AbstractAsyncContextManager[Snapshot]:
        """Reads of one instant, and nothing written."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction; leaving without `commit` undoes it."""
        ...

    async def get(self, collection: str, doc_id: str) -> Document | None:
        """One document, majority read."""
        ...

    async def some(self, collection: str, ids: Sequence[str]) -> dict[str, Document]:
        """The documents that exist among these ids, one majority read."""
        ...

    async def page(  # noqa: PLR0913  all that makes a page
        self,
        collection: str,
        where: Mapping[str, Any],
        *,
        sort: str,
        after: tuple[Any, str] | None,
        limit: int,
        shown: Sequence[str] = (),
    ) -> list[Document]:
        """Documents whose fields equal `where` (a list field contains it), by (sort, _id).

        `after` is the (sort value, _id) of the last one seen. With `shown` only these fields of
        each come, and its id; a path like `events.key` shows one field of each in a list.
        """
        ...

    async def before(
        self, collection: str, field: str, moment: datetime, limit: int
    ) -> list[Document]:
        """Documents whose `field` is an instant not after `moment`, the oldest first."""
        ...

    async def oldest(self, collection: str, field: str, having: str) -> datetime | None:
        """The earliest instant in `field` of the documents that have the field `having`."""
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

    def check(self, write: Write) -> None:
        """Whether this could be kept at all, without a question. Raises `ValueError`."""
        ...

    async def ensure(self, collections: Sequence[str], indexes: Sequence[Index]) -> None:
        """Create what is missing; harmless to repeat and to race."""
        ...

    async def forget(self, collections: Sequence[str]) -> None:
        """Delete whole collections, their indexes too; harmless to repeat and to race."""
        ...

    async def time(self) -> datetime:
        """The server's clock, UTC."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...
