"""The kinds of intent that a writer folds: a command, an arriving event, a deadline, a repair."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog

from shared.chassis import letgo, logging, metrics, parking, positions, streams
from shared.chassis.batch import Missing, Ref
from shared.chassis.envelope import ATTRIBUTES, Envelope, encode
from shared.chassis.errors import Malformed, Problem
from shared.chassis.fold import Scope, refs_of, run, stream_at, stream_ref
from shared.chassis.ports import Place, Record
from shared.chassis.quarantine import quarantine, quarantine_ref
from shared.chassis.reading import Reading
from shared.chassis.replies import Idempotency, Stored
from shared.model import EVENT_TYPES, Context, Do, Handlers, Refused, Step

log = structlog.get_logger("telar.work")

APPLIED, PASSED, FAILED = "applied", "passed", "failed"
"""What became of an arriving event whose turn it was."""


class Work(ABC):
    """One intent: what to load first, how to fold, and the future its caller waits on."""

    def __init__(self, context: Context, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.context = context
        self.named: set[Ref] = set()
        loop = loop or asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = loop.create_future()

    def about(self) -> Mapping[str, str]:
        """Where a log line of this intent belongs."""
        now = self.context
        return {
            "correlation": now.correlation,
            "causation": now.cause,
            **logging.trace_id(now.traceparent),
        }

    def wanted(self) -> Sequence[Ref]:
        """What is known to be needed before folding."""
        return ()

    @abstractmethod
    def fold(self, scope: Scope) -> Any:
        """Fold it; what comes back is the caller's, once committed."""

    def failed(self, scope: Scope, error: Exception) -> Any:
        """The fold raised: what to write instead (in a fresh scope), or raise it again."""
        raise error


class Answered(Work):
    """An intent with a caller who waits: its reply is stored with what it changed."""

    def __init__(self, context: Context, idempotency: Idempotency) -> None:
        super().__init__(context)
        self.idempotency = idempotency

    def wanted(self) -> Sequence[Ref]:
        """The reply that may be there already."""
        return [self.idempotency.ref]

    def fold(self, scope: Scope) -> Stored:
        """Answer from the stored reply, or act and store what that answers."""
        if (earlier := self.idempotency.earlier(scope)) is not None:
            return earlier
        return self.keep(scope, self.act(scope))

    @abstractmethod
    def act(self, scope: Scope) -> Stored:
        """Do it; what comes back is stored and answered."""

    def failed(self, scope: Scope, error: Exception) -> Stored:
        """A refusal is an answer and is stored; anything else is the caller's 500."""
        if not isinstance(error, Refused):
            raise error
        return self.keep(scope, Stored.refusal(error, self.context.correlation))

    def keep(self, scope: Scope, reply: Stored) -> Stored:
        """Store it, for a repeat."""
        scope.put(self.idempotency.ref, self.idempotency.document(reply, self.context.at))
        return reply


class CommandWork(Answered):
    """Steps from an HTTP request."""

    def __init__(
        self,
        context: Context,
        steps: Sequence[Step],
        reply: Callable[[Any], Stored],
        idempotency: Idempotency,
    ) -> None:
        super().__init__(context, idempotency)
        self.steps, self.reply = steps, reply
        self.expected: int | None = None
        self.confined_to: str | None = None
        """The key whose place alone the answer tells, but for what it makes: an intent also moves
        others' streams."""

    def wanted(self) -> Sequence[Ref]:
        """Its aggregates too, and the streams that their names let one guess.

        A right guess spares a second fold of the batch; a wrong one costs one id in a find.
        """
        guessed = {stream_ref(step.id.partition(":")[0]) for step in self.steps}
        return [*super().wanted(), *refs_of(self.steps), *guessed]

    def act(self, scope: Scope) -> Stored:
        """Run the steps, and answer with what the first `Do` left."""
        first = next(at for at, step in enumerate(self.steps) if isinstance(step, Do))
        target = refs_of(self.steps[first : first + 1])[0]
        scope.need([target])
        own: set[str] | None = {self.confined_to} if self.confined_to else None
        if own and not scope.version(target):  # who brings a woman in is told of her
            own.add(target.id)
        if self.expected is not None:
            # What is not hers is 404 whatever version she names: or she could count it out.
            run(scope, self.steps[:first], self.context)
            if scope.version(target) != self.expected:
                raise Problem(412, "edited-meanwhile")
        run(scope, self.steps, self.context)
        reply = self.reply(scope.read(target))
        return replace(reply, position=positions.told(scope.seal(), own))


class Arrival(Work):
    """A record of another service's topic: applied once, in order, or held."""

    def __init__(
        self, context: Context, record: Record, arrived: Envelope | Malformed, reading: Reading
    ) -> None:
        super().__init__(context, reading.loop)
        self.arrived, self.reading = arrived, reading
        self.record = record.bare() if isinstance(arrived, Envelope) else record
        """Of an envelope only where it stood: the rest it says itself, in half the memory."""
        self.place: Place = (record.topic, record.partition)
        self.key = arrived.key if isinstance(arrived, Envelope) else ""
        """Of its stream; empty when it has no valid place."""
        self._stream = stream_ref(self.key)
        self.application: Application | None = None
        reading.add(self.place, record.offset)

    def about(self) -> Mapping[str, str]:
        """Where a log line of this event's handling belongs."""
        return self.arrived.about() if isinstance(self.arrived, Envelope) else super().about()

    def plan(self, handlers: Handlers) -> Sequence[Ref]:
        """What its handler will name, found before any state is loaded (handlers are pure)."""
        if isinstance(self.arrived, Malformed):
            return [quarantine_ref(self.record)]
        if self.application is None:  # else this is another attempt at the same transaction
            self.application = Application(
                self.arrived, handlers, self.record.partition, self.context
            )
        return [self._stream, *self.application.refs]

    def fold(self, scope: Scope) -> str:
        """Compare with the position; the outcome is what became of it."""
        if isinstance(self.arrived, Malformed):
            return quarantine(scope, self.record, self.arrived.code, self.context.at)
        match streams.judge(stream_at(scope, self._stream), self.arrived):
            case streams.Verdict.DUPLICATE:
                return "duplicate"
            case streams.Verdict.FORK | streams.Verdict.GAP if letgo.holds(scope, self.arrived):
                return "let-go"
            case streams.Verdict.FORK:
                other = self.arrived.to_document()
                parking.fork(scope, self.arrived.topic, self.arrived.key, other, self.context.at)
                return "fork"
            case verdict:
                return self._take(scope, self.arrived, verdict)

    def failed(self, scope: Scope, error: Exception) -> str:
        """Not even its key can be parked: it is set aside as evidence, and the partition goes on.

        Its position stands, so it is asked for again, once what stood in its way is mended.
        """
        code = parking.code_of(error)
        log.error("event.set_aside", code=code, offset=self.record.offset)
        quarantine(scope, self._whole(), code, self.context.at)
        return FAILED

    def _whole(self) -> Record:
        if isinstance(self.arrived, Malformed):
            return self.record
        _, key, value, headers = encode(self.arrived)
        read = tuple(one for one in headers if one[0] in ATTRIBUTES)
        return self.record._replace(key=key, value=value, headers=read)

    def _take(self, scope: Scope, arrived: Envelope, verdict: streams.Verdict) -> str:
        at, is_next = self.context.at, verdict is streams.Verdict.NEXT
        if streams.is_parked(stream_at(scope, self._stream), arrived.topic):
            parking.hold(scope, arrived, at)
            if is_next and parking.wants_it(scope, arrived):
                parking.drain(scope, arrived.topic, arrived.key, self._apply, at)
            return "held"
        if not is_next:
            parking.open_gap(scope, arrived, at)
            return "gap"
        try:
            self._apply(scope, arrived)
        except Missing:
            raise
        except Exception as error:
            parking.open_failure(scope, arrived, error, at)
            return FAILED
        handled = self.application is None or self.application.handler is not None
        return APPLIED if handled else PASSED

    def _apply(self, scope: Scope, arrived: Envelope) -> None:
        mine = self.application
        if mine is None or mine.arrived is not arrived:
            handlers, partition = scope.batch.handlers, self.record.partition
            mine = Application(arrived, handlers, partition, caused_by(arrived, self.context.at))
        mine.apply(scope)


class Application:
    """One event given to its handler: the steps it asks for, folded; the position moved."""

    def __init__(
        self, arrived: Envelope, handlers: Handlers, partition: int, context: Context
    ) -> None:
        self.arrived, self.context = arrived, context
        self.handler = handlers.named(arrived.type)
        self.refs: Sequence[Ref] = ()
        """The aggregates that the handler named."""
        self.steps: Sequence[Step] | Exception = ()
        if self.handler is not None:
            try:
                event = EVENT_TYPES[arrived.type].model_validate_json(arrived.value)
                self.steps = self.handler(event, lambda: arrived.fact(partition))
                self.refs = refs_of(self.steps)
            except Exception as error:
                self.steps = error

    def apply(self, scope: Scope) -> None:
        """Fold the steps and move the position, or raise and change nothing."""
        self.act(scope)
        if self.arrived.type in EVENT_TYPES:
            scope.count(metrics.APPLIED, self.arrived.type)
        else:  # not by its type: anybody may write any there
            scope.count(metrics.EVENTS_UNKNOWN, self.arrived.topic)
        ref = stream_ref(self.arrived.key)
        scope.put(ref, streams.advance(stream_at(scope, ref), self.arrived))

    def act(self, scope: Scope) -> None:
        """Fold the steps; a refusal that was foreseen is counted and changes nothing."""
        attempt = scope.attempt()
        try:
            if isinstance(self.steps, Exception):
                raise self.steps
            run(attempt, self.steps, self.context)
        except Refused as refusal:
            if self.handler is None or refusal.code not in self.handler.may_refuse:
                raise
            scope.count(metrics.REFUSED_EVENTS, refusal.code)
        else:
            attempt.join()


def caused_by(arrived: Envelope, at: datetime) -> Context:
    """The context of what an event causes: its id as the cause, the same thread."""
    return Context(
        at=at,
        actor="service",
        cause=arrived.id,
        correlation=arrived.correlation,
        traceparent=arrived.traceparent,
    )
