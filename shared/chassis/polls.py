"""What one consumer reads, poll after poll, as intents: read ahead of what is being written."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from shared.chassis.clock import Clock
from shared.chassis.control import CONTROL
from shared.chassis.envelope import Envelope, decode
from shared.chassis.errors import Malformed
from shared.chassis.ports import Consumer, Place, Record
from shared.chassis.queue import MOST_INTENTS
from shared.chassis.reading import Reading
from shared.chassis.turns import in_turns
from shared.chassis.work import Arrival, caused_by
from shared.chassis.writer import Writer
from shared.model import Context


class Poll(NamedTuple):
    """What one poll brought: the intents, what was said on the control topic, where it ended."""

    works: list[Arrival]
    said: list[Record]
    ends: dict[Place, int]
    is_full: bool
    """Whether more waits: it is read ahead. After any other what comes had better come together."""


class Polls:
    """Each poll is decoded, its handlers are asked, and it waits for the writer already.

    `came` is called whenever a poll comes back, whatever it brought.
    """

    def __init__(
        self,
        consumer: Consumer,
        reading: Reading,
        clock: Clock,
        writer: Writer,
        came: Callable[[], None],
    ) -> None:
        self.consumer, self._reading = consumer, reading
        self._clock, self._writer, self._came = clock, writer, came
        self._ahead: asyncio.Task[Poll] | None = None
        self._polling: asyncio.Timeout | None = None
        self._stopping = False

    async def next(self) -> Poll:
        """The next one. After a full one that which follows is begun, while this one is written."""
        ahead, self._ahead = self._ahead, None
        poll = await (ahead or self._read())
        if poll.is_full:
            self._ahead = asyncio.create_task(self._read())
        return poll

    async def _read(self) -> Poll:
        records = await self._polled()
        self._came()
        at = self._clock.now()
        works: list[Arrival] = []
        said = [record for record in records if record.topic == CONTROL]
        async for some in in_turns([one for one in records if one.topic != CONTROL]):
            for record in some:
                decoded = _decode(record)
                context = _context(decoded, at)
                works.append(work := Arrival(context, record, decoded, self._reading))
                work.plan(self._writer.handlers)
        self._writer.submit(works)
        ends = {(record.topic, record.partition): record.offset + 1 for record in records}
        return Poll(works, said, ends, is_full=len(records) >= MOST_INTENTS)

    async def _polled(self) -> list[Record]:
        """What came, or nothing at once where `stop` is told meanwhile."""
        try:
            async with asyncio.timeout(None) as self._polling:
                return await self.consumer.poll()
        except TimeoutError:
            if not self._stopping:
                raise
            return []
        finally:
            self._polling = None

    def stop(self) -> None:
        """Wait for no record any more."""
        self._stopping = True
        if self._polling is not None:
            self._polling.reschedule(0.0)

    async def close(self) -> None:
        """Read no more. What was handed to the writer is written, or comes again."""
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.gather(self._ahead, return_exceptions=True)
            self._ahead = None


def _decode(record: Record) -> Envelope | Malformed:
    try:
        return decode(record)
    except Malformed as error:
        return error


def _context(decoded: Envelope | Malformed, at: datetime) -> Context:
    if isinstance(decoded, Envelope):
        return caused_by(decoded, at)
    return Context(at=at, actor="service", cause="quarantine", correlation="quarantine")
