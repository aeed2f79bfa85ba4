"""The kinds of intent that a writer folds: a command, an arriving event, a deadline, a repair."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from shared.chassis import metrics, parking, streams
from shared.chassis.envelope import Envelope, short
from shared.chassis.errors import Malformed, Problem
from shared.chassis.fold import Missing, Ref, Scope, refs_of, run, stream_at, stream_ref
from shared.chassis.ports import Place, Record
from shared.chassis.replies import Idempotency, Stored
from shared.model import EVENT_TYPES, Aggregate, Context, Do, Handlers, Refused, Step, Tick


class Work(ABC):
    """One intent: what to load first, how to fold, and the future its caller waits on."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.named: set[Ref] = set()
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def wanted(self) -> Sequence[Ref]:
        """What is known to be needed before folding."""
        return ()

    @abstractmethod
    def fold(self, scope: Scope) -> Any:
        """Fold it; what comes back is the caller's, once committed."""

    def failed(self, scope: Scope, error: Exception) -> Any:
        """The fold raised: what to write instead (in a fresh scope), or raise it again."""
        raise error


class CommandWork(Work):
    """Steps from an HTTP request; the reply is stored with what it changed."""

    def __init__(
        self,
        context: Context,
        steps: Sequence[Step],
        reply: Callable[[Any], Stored],
        idempotency: Idempotency,
    ) -> None:
        super().__init__(context)
        self.steps, self.reply, self.idempotency = steps, reply, idempotency
        self.expected: int | None = None

    def wanted(self) -> Sequence[Ref]:
        """Its aggregates, and the reply that may be there already."""
        return [self.idempotency.ref, *refs_of(self.steps)]

    def fold(self, scope: Scope) -> Stored:
        """Answer from the stored reply, or run the steps and store what they answer."""
        if (earlier := self.idempotency.earlier(scope)) is not None:
            return earlier
        target = refs_of([next(step for step in self.steps if isinstance(step, Do))])[0]
        scope.need([target])
        if self.expected is not None and scope.version(target) != self.expected:
            raise Problem(412, "edited-meanwhile")
        run(scope, self.steps, self.context)
        reply = self.reply(scope.read(target))
        last = {event.key: event for event in scope.seal()}
        places = [f"{short(one.topic)}/{one.key}/{one.sequence}" for one in last.values()]
        return self._store(scope, replace(reply, position=",".join(places) or None))

    def failed(self, scope: Scope, error: Exception) -> Stored:
        """A refusal is an answer and is stored; anything else is the caller's 500."""
        if not isinstance(error, Refused):
            raise error
        return self._store(scope, Stored.refusal(error, self.context.correlation))

    def _store(self, scope: Scope, reply: Stored) -> Stored:
        scope.put(self.idempotency.ref, self.idempotency.document(reply, self.context.at))
        return reply


@dataclass
class Poll:
    """The records of one poll: what of each partition is not yet written."""

    pending: dict[Place, list[int]] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """One more to be written."""
        self.pending.setdefault((record.topic, record.partition), []).append(record.offset)

    def next_offset(self, place: Place, done: set[int]) -> int:
        """Where to go on if exactly `done` and all before are written."""
        left = [offset for offset in self.pending[place] if offset not in done]
        return min(left) if left else max(done) + 1

    def forget(self, place: Place, done: set[int]) -> None:
        """These are written."""
        self.pending[place] = [offset for offset in self.pending[place] if offset not in done]


class Arrival(Work):
    """A record of another service's topic: applied once, in order, or held."""

    def __init__(
        self, context: Context, record: Record, arrived: Envelope | Malformed, poll: Poll
    ) -> None:
        super().__init__(context)
        self.record, self.arrived, self.poll = record, arrived, poll
        self._application: Application | None = None
        poll.add(record)

    @property
    def place(self) -> Place:
        """The partition it came from."""
        return self.record.topic, self.record.partition

    def plan(self, handlers: Handlers) -> Sequence[Ref]:
        """What its handler will name, found before any state is loaded (handlers are pure)."""
        if isinstance(self.arrived, Malformed):
            return [parking.quarantine_ref(self.record)]
        self._application = Application(
            self.arrived, handlers, self.record.partition, self.context.at
        )
        stream = stream_ref(self.arrived.key)
        return [stream, *self._application.refs()]

    def fold(self, scope: Scope) -> str:
        """Compare with the position; the verdict's name is the outcome."""
        if isinstance(self.arrived, Malformed):
            return parking.quarantine(scope, self.record, self.arrived.code, self.context.at)
        verdict = streams.judge(stream_at(scope, stream_ref(self.arrived.key)), self.arrived)
        if verdict is streams.Verdict.FORK:
            return parking.quarantine(scope, self.record, "fork", self.context.at)
        if verdict is not streams.Verdict.DUPLICATE:
            self._take(scope, self.arrived, verdict)
        return verdict.value

    def _take(self, scope: Scope, arrived: Envelope, verdict: streams.Verdict) -> None:
        stream = stream_at(scope, stream_ref(arrived.key))
        if streams.is_parked(stream, arrived.topic):
            parking.hold(scope, arrived, self.context.at)
            if verdict is streams.Verdict.NEXT and parking.reason(scope, arrived) == "gap":
                parking.drain(scope, arrived.topic, arrived.key, self._apply, self.context.at)
        elif verdict is streams.Verdict.GAP:
            parking.open_gap(scope, arrived, self.context.at)
        else:
            try:
                self._apply(scope, arrived)
            except Missing:
                raise
            except Exception as error:
                parking.open_failure(scope, arrived, error, self.context.at)

    def _apply(self, scope: Scope, arrived: Envelope) -> None:
        mine = self._application
        if mine is None or mine.arrived is not arrived:
            handlers, partition = scope.batch.handlers, self.record.partition
            mine = Application(arrived, handlers, partition, self.context.at)
        mine.apply(scope)


class Application:
    """One event given to its handler: the steps it asks for, folded; the position moved."""

    def __init__(self, arrived: Envelope, handlers: Handlers, partition: int, at: datetime) -> None:
        self.arrived = arrived
        event_type = EVENT_TYPES.get(arrived.type)
        self.handler = handlers.get(event_type) if event_type else None
        self.context = caused_by(arrived, at)
        self._steps: Sequence[Step] | Exception = ()
        if event_type is not None and self.handler is not None:
            try:
                event = event_type.model_validate_json(arrived.value)
                self._steps = self.handler(event, arrived.fact(partition))
            except Exception as error:
                self._steps = error
        elif event_type is None:
            metrics.EVENTS_UNKNOWN.labels(arrived.type[:80]).inc()

    def refs(self) -> Sequence[Ref]:
        """The aggregates that the handler named."""
        return () if isinstance(self._steps, Exception) else refs_of(self._steps)

    def apply(self, scope: Scope) -> None:
        """Fold the steps and move the position, or raise and change nothing."""
        if isinstance(self._steps, Exception):
            raise self._steps
        attempt = Scope(scope)
        try:
            run(attempt, self._steps, self.context)
        except Refused as refusal:
            if self.handler is None or refusal.code not in self.handler.may_refuse:
                raise
            metrics.REFUSED_EVENTS.labels(refusal.code).inc()
        else:
            attempt.join()
        ref = stream_ref(self.arrived.key)
        scope.put(ref, streams.advance(stream_at(scope, ref), self.arrived))


def caused_by(arrived: Envelope, at: datetime) -> Context:
    """The context of what an event causes: its id as the cause, the same thread."""
    return Context(
        at=at,
        actor="service",
        cause=arrived.id,
        correlation=arrived.correlation,
        traceparent=arrived.traceparent,
    )


class TickWork(Work):
    """The instant that an aggregate's `due` named has come."""

    def __init__(self, context: Context, aggregate: Aggregate[Any], doc_id: str) -> None:
        super().__init__(context)
        self.step = Do(aggregate, doc_id, Tick())

    def wanted(self) -> Sequence[Ref]:
        """The aggregate itself."""
        return refs_of([self.step])

    def fold(self, scope: Scope) -> None:
        """Tick, if it is still there."""
        if scope.read(refs_of([self.step])[0]) is not None:
            run(scope, [self.step], self.context)


class Drain(Work):
    """Try the head of a parked key again, then what waits behind it."""

    def __init__(self, context: Context, topic: str, key: str) -> None:
        super().__init__(context)
        self.topic, self.key = topic, key

    def wanted(self) -> Sequence[Ref]:
        """The positions of the key and what is held."""
        return [stream_ref(self.key), parking.parked_ref(self.topic, self.key)]

    def fold(self, scope: Scope) -> None:
        """Apply in order as far as it goes."""
        parking.drain(scope, self.topic, self.key, self._apply, self.context.at)

    def _apply(self, scope: Scope, arrived: Envelope) -> None:
        Application(arrived, scope.batch.handlers, -1, self.context.at).apply(scope)
