"""A member of a group, which outlives a broker that is away."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition

from shared.chassis.kafka.clients import (
    CONNECT,
    FORCE,
    Polled,
    expect,
    has_metadata,
    records,
    stop,
    within,
)
from shared.chassis.patience import Watch, at_most
from shared.chassis.ports import Offsets, Place, Record

QUIET, SETTLING = 10.0, 120.0
"""Seconds of silence until a look, and of a group that does not come to rest."""

ANSWER = 3.0


class KafkaConsumer:
    """A member of a group. It outlives a broker that is away, and says when it is broken."""

    def __init__(self, client: AIOKafkaConsumer, topics: Sequence[str], offsets: Offsets) -> None:
        self._client, self._start = client, _Start(client, offsets)
        self._polling: asyncio.Task[Polled] | None = None
        self._next: dict[TopicPartition, int] = {}
        self._watch = Watch(QUIET, SETTLING)
        client.subscribe(topics=list(topics), listener=self._start)

    async def poll(self) -> list[Record]:
        """Up to 500 records; `BusError` when this member must be replaced."""
        expect(self._start.failure is None, f"offsets: {type(self._start.failure).__name__}")
        if self._polling is None:
            self._polling = asyncio.create_task(self._client.getmany(timeout_ms=200))
        await asyncio.wait({self._polling}, timeout=1.0)
        expect(has_metadata(self._client), "poll: nobody looks after the metadata")
        if not self._polling.done():
            expect(not self._watch.never_settles, "poll: the group does not settle")
            return []
        async with within(None, "poll"):
            polled, self._polling = self._polling, None
            found = polled.result()
        self._next |= {place: records[-1].offset + 1 for place, records in found.items()}
        if found or (self._watch.is_quiet and not await self._behind()):
            self._watch.works()
        elif self._watch.is_quiet:
            expect(not self._watch.records_wait(), "poll: records wait, and none come")
        return records(found)

    async def _behind(self) -> bool:
        """Whether the broker has records that do not come; not if it does not answer at all."""
        mine = self._client.assignment()
        with suppress(Exception):  # the next look asks again
            async with asyncio.timeout(ANSWER):
                ends = await self._client.end_offsets(list(mine))
                return any([await self._client.position(one) < ends[one] for one in mine])
        return False

    async def commit(self, offsets: Mapping[Place, int], deadline: float) -> None:
        """Note the next offsets; of partitions that went to somebody else it is an error."""
        noted = {TopicPartition(*place): offset for place, offset in offsets.items()}
        async with within(deadline, "commit"):
            await self._client.commit(noted)

    def assigned(self) -> frozenset[Place]:
        """The partitions that this member has now."""
        return frozenset((one.topic, one.partition) for one in self._client.assignment())

    def lag(self) -> dict[Place, int]:
        """Records not yet polled, by partition, of those that were polled."""
        lag: dict[Place, int] = {}
        for one in self._client.assignment() & self._next.keys():
            if (end := self._client.highwater(one)) is not None:
                lag[one.topic, one.partition] = max(0, end - self._next[one])
        return lag

    async def close(self, deadline: float) -> None:
        """Leave the group."""
        await at_most(deadline, stop(self._client, deadline / 2))
        if self._polling is not None:
            self._polling.cancel()  # its client is gone, so nothing can leak
            await asyncio.wait({self._polling}, timeout=FORCE)


class _Start(ConsumerRebalanceListener):
    """Where partitions begin that were just assigned."""

    def __init__(self, client: AIOKafkaConsumer, offsets: Offsets) -> None:
        self._client, self._offsets = client, offsets
        self.failure: Exception | None = None

    async def on_partitions_revoked(self, revoked: object) -> None:  # pyrefly: ignore[bad-override]
        """Nothing is lost: what was applied stands in `streams`."""

    async def on_partitions_assigned(  # pyrefly: ignore[bad-override]  aiokafka takes both kinds
        self, assigned: set[TopicPartition]
    ) -> None:
        """Go back to the stored offset if it is lower. A failure here would only be logged.

        The coordinator alone is asked: a partition without a leader has no position, and would
        keep all the others waiting.
        """
        try:
            # What would come until the offset is known stands after it, perhaps by far.
            self._client.pause(*assigned)
            async with asyncio.timeout(CONNECT):
                places = {(one.topic, one.partition): one for one in assigned}
                stored = await self._offsets(list(places))
                noted = await asyncio.gather(
                    *(self._client.committed(places[one]) for one in stored)
                )
                for (place, offset), at in zip(stored.items(), noted, strict=True):
                    if at is not None and offset < at:  # else the client starts where it should
                        self._client.seek(places[place], offset)
            self._client.resume(*assigned)
        except Exception as failure:
            self.failure = failure
