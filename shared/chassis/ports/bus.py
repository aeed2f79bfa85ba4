"""What the core asks of one Kafka cluster."""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol


class Outgoing(NamedTuple):
    """A record to send. The key decides the partition."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class Record(NamedTuple):
    """A record as Kafka holds it; any part may be missing or broken."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp_ms: int = 0

    def bare(self) -> "Record":
        """Only where it stands."""
        return Record(self.topic, self.partition, self.offset, None, None)


Place = tuple[str, int]
"""A topic and a partition."""


def place_id(place: Place) -> str:
    """A partition's name in a document."""
    return f"{place[0]}/{place[1]}"


def place_of(name: str) -> Place:
    """The partition of this name."""
    topic, _, number = name.rpartition("/")
    return topic, int(number)


class Producer(Protocol):
    """Sends in order; replaces its client after any terminal error (aiokafka#1017)."""

    async def send(self, records: Sequence[Outgoing], deadline: float) -> dict[Place, range]:
        """All acknowledged by every in-sync replica within `deadline` seconds, or `BusError`.

        Returns the offsets from the first of them to the last, by partition.
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
        self,
        topic: str,
        starts: Mapping[Place, int] | None = None,
        ends: Mapping[Place, int] | None = None,
    ) -> AsyncGenerator[list[Record], None]:
        """Read a topic once without a group, however long that takes.

        From these offsets, or the start, to the end that it has now; with `ends` before those,
        and of the partitions that they name alone. Who leaves it before its end closes it.
        """
        ...

    async def ping(self) -> None:
        """A broker answers, or `BusError`."""
        ...

    async def close(self) -> None:
        """Let go of every connection, whatever the broker does."""
        ...
