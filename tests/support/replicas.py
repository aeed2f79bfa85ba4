"""Two replicas of a service under the real writer: everything is done twice, at once.

Every command goes to both with one idempotency key, every fact is delivered to both, both clocks
tick. What comes of it must be as if it had been done once.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import count
from typing import Any

import orjson

from shared.chassis import streams
from shared.chassis.batch import state_of
from shared.chassis.clock import Clock
from shared.chassis.deadlines import TickWork
from shared.chassis.envelope import GENESIS, decode, encode, encode_value, envelope
from shared.chassis.memory import MemoryStore
from shared.chassis.ports import Record
from shared.chassis.replies import Idempotency, Stored
from shared.chassis.work import Arrival, CommandWork, Reading, Work, caused_by
from shared.chassis.writer import Writer
from shared.model import Aggregate, Event, Handlers, Step
from tests.support.spec import NOON, context


class Replicas:
    """One store, two writers. Nothing is published."""

    def __init__(self, handlers: Handlers) -> None:
        self.loop = asyncio.new_event_loop()
        self.store = MemoryStore()
        self._count = count(1)
        self._positions: dict[tuple[str, str], tuple[int, str]] = {}
        self._writers = [
            Writer(self.store, Clock(self.store), handlers, lambda *_: None) for _ in "12"
        ]
        self._running = [self.loop.create_task(writer.run()) for writer in self._writers]

    def close(self) -> None:
        """Stop both."""
        for writer in self._writers:
            writer.stop()
        self.loop.run_until_complete(asyncio.gather(*self._running))
        self.loop.close()

    def command(self, *steps: Step, at: datetime = NOON, actor: str = "officer-1") -> str:
        """Empty when it was done, else the code of its refusal."""
        (code,) = self.race([steps], at=at, actor=actor)
        return code

    def race(
        self, intents: Sequence[Sequence[Step]], at: datetime = NOON, actor: str = "officer-1"
    ) -> list[str]:
        """Several commands at the same moment; how each ended."""
        numbers = [next(self._count) for _ in intents]

        def works() -> list[Work]:
            return [
                CommandWork(
                    context(at, actor, cause=f"cause-{number}"),
                    steps,
                    lambda state: Stored(200, repr(state).encode()),
                    Idempotency(f"key-{number}", "digest"),
                )
                for number, steps in zip(numbers, intents, strict=True)
            ]

        first, second = self._both(works, in_reverse=len(intents) > 1)
        assert first == second, "a repeat gets another answer"
        return [orjson.loads(one.body)["code"] if one.status >= 400 else "" for one in first]

    def fact(self, event: Event, at: datetime = NOON) -> None:
        """A fact of another service arrives at both."""
        now = context(at, "service", cause="fact")
        unnumbered = envelope(event, encode_value(event), f"fact-{next(self._count)}", now)
        place = self._positions.get((unnumbered.topic, unnumbered.key), (0, GENESIS))
        stream = streams.take_over(streams.fresh(event.stream_key), unnumbered.topic, *place)
        _, sealed = streams.number(stream, unnumbered)
        self._positions[sealed.topic, sealed.key] = sealed.sequence, sealed.digest
        sent = encode(sealed)
        record = Record(sent.topic, 0, next(self._count), sent.key, sent.value, sent.headers)
        arrived = decode(record)

        def works() -> list[Work]:
            return [Arrival(caused_by(arrived, at), record, arrived, Reading())]

        outcomes = sorted(one for part in self._both(works) for one in part)
        assert outcomes == ["applied", "duplicate"], outcomes

    def tick(self, aggregate: Aggregate[Any], at: datetime) -> None:
        """Both find what is due, the earliest first."""
        while due := sorted(self._due(aggregate, at)):
            doc_id = due[0][1]

            def works(doc_id: str = doc_id) -> list[Work]:
                return [TickWork(context(at, "clock", cause=f"tick-{doc_id}"), aggregate, doc_id)]

            self._both(works)
            assert due[0] not in self._due(aggregate, at), "a tick left its deadline"

    def _due(self, aggregate: Aggregate[Any], at: datetime) -> list[tuple[datetime, str]]:
        rows = self.store.all(aggregate.name)
        return [(row["due"], row["_id"]) for row in rows if "due" in row and row["due"] <= at]

    def get(self, aggregate: Aggregate[Any], doc_id: str) -> Any:
        """A state, or None."""
        found = self.store.committed((aggregate.name, doc_id))
        return None if found is None else state_of(aggregate, found)

    def all(self, aggregate: Aggregate[Any]) -> list[Any]:
        """Every state."""
        return [state_of(aggregate, row) for row in self.store.all(aggregate.name)]

    def _both(
        self, works: Callable[[], list[Work]], *, in_reverse: bool = False
    ) -> tuple[list[Any], list[Any]]:
        async def run() -> list[list[Any]]:
            mine = [works() for _ in self._writers]
            for number, writer in enumerate(self._writers):
                writer.submit(mine[number][::-1] if number and in_reverse else mine[number])
            return [await asyncio.gather(*(one.future for one in part)) for part in mine]

        first, second = self.loop.run_until_complete(run())
        return first, second
