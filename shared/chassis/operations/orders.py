"""What an operator may do: each order has a reason, is audited, and cannot be given too often."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Annotated, Literal

import structlog
from fastapi import Request
from pydantic import AfterValidator, Field, StringConstraints

from shared.chassis import mending
from shared.chassis.adoption import Adopted, adopt_topic
from shared.chassis.audit import Asked, Noted
from shared.chassis.backfill import Backfill, Begin
from shared.chassis.breaker import LetPass, Passing
from shared.chassis.envelope import Envelope
from shared.chassis.errors import Problem
from shared.chassis.http import Commander, Intent, Reply, Router, response_of
from shared.chassis.mending import Mend, Mended
from shared.chassis.policy import Role
from shared.chassis.replies import Stored
from shared.chassis.runtime import Runtime
from shared.model import Frozen, Refused

OPERATOR = Role("operator")

ORDERS_A_MINUTE = 30

MOMENT = 5.0
"""Seconds for which a caller waits for an order that takes longer: less than the gateway does."""

_EVENTS = 500

log = structlog.get_logger("telar.orders")


def _plain(text: str) -> str:
    if not text.isprintable():
        raise ValueError("plain text")
    return text


Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=3, max_length=200),
    AfterValidator(_plain),
]
Key = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[\x20-\x7e]+$")]
Topic = Annotated[str, StringConstraints(pattern=r"^telar\.[a-z0-9-]{1,60}$")]
Number = Annotated[int, Field(strict=True, ge=1, lt=10**15)]


class Because(Frozen):
    """Why."""

    reason: Reason


class Retry(Because):
    """Try a parked key again."""

    topic: Topic
    key: Key


class Skip(Retry):
    """Give up the next event of a parked key, or all from it to `last`."""

    sequence: Number
    last: Number | None = None


class Adopt(Retry):
    """Say which branch of a fork holds, and from which number on."""

    branch: Literal["kept", "arrived"]
    sequence: Number | None = None
    previous: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None


class Resend(Because):
    """Send own events of a key again."""

    key: Key
    first: Number
    last: Number | None = None


class Fill(Because):
    """Run a handler that was added later over what it has missed."""

    type: Annotated[str, StringConstraints(pattern=r"^telar\.[a-z0-9-]+\.[a-z0-9-]+\.v[0-9]{1,3}$")]


class Resent(Frozen):
    """How many events were sent again, and the last number of the stream."""

    sent: int
    head: int


class Rate:
    """So many orders a minute and process."""

    def __init__(self) -> None:
        self._given: deque[float] = deque(maxlen=ORDERS_A_MINUTE)

    def take(self) -> None:
        """One more, or 429."""
        now = time.monotonic()
        if len(self._given) == self._given.maxlen and now - self._given[0] < 60:
            raise Problem(429, "operator-rate", headers={"retry-after": "10"})
        self._given.append(now)


class GoingOn:
    """Orders that may take longer than a caller waits: the next one joins what is under way."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[Stored]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._tasks

    async def join(self, key: str, work: Callable[[], Coroutine[None, None, Stored]]) -> Stored:
        """Its reply, or 409 after a moment: it goes on without its caller."""
        if (task := self._tasks.get(key)) is None:
            task = self._tasks[key] = asyncio.create_task(work())
            task.add_done_callback(lambda done: self._forget(key, done))
        done, _ = await asyncio.wait([task], timeout=MOMENT)
        if not done:
            raise Problem(409, "idempotency-in-progress", headers={"retry-after": "1"})
        return task.result()

    def _forget(self, key: str, task: asyncio.Task[Stored]) -> None:
        del self._tasks[key]
        if not task.cancelled() and (error := task.exception()):
            log.warning("order.failed", error=type(error).__name__)  # its caller may have left


def add(router: Router, prefix: str) -> None:
    """Register the orders."""
    give = _Give()
    _about_keys(router, prefix, give)
    _about_the_topic(router, prefix, give)
    _about_the_breaker(router, prefix, give)


class _Give:
    """Every order of a service passes here."""

    def __init__(self) -> None:
        self._rate = Rate()

    def __call__(self, intent: Commander, action: str, body: Because) -> Asked:
        self._rate.take()
        return Asked(intent.context, intent.idempotency, action, body.reason)


def _about_keys(router: Router, prefix: str, give: _Give) -> None:
    @router.post(f"{prefix}/parked/retry", policy=OPERATOR)
    async def retry_parked(body: Retry, intent: Intent) -> Reply[Mended]:
        order = give(intent, "retry", body)
        return await intent.answer(Mend(order, body.topic, body.key, mending.retry))

    @router.post(f"{prefix}/parked/skip", policy=OPERATOR)
    async def skip_parked(body: Skip, intent: Intent) -> Reply[Mended]:
        order = give(intent, "skip", body)
        first, last = body.sequence, body.last or body.sequence
        gone = str(first) if first == last else f"{first}-{last}"
        return await intent.answer(
            Mend(order, body.topic, body.key, mending.skip(first, last), gone)
        )

    @router.post(f"{prefix}/adopt", policy=OPERATOR)
    async def adopt_branch(body: Adopt, intent: Intent) -> Reply[Mended]:
        order = give(intent, f"adopt-{body.branch}", body)
        ours = body.branch == "kept"
        how = mending.keep_ours if ours else mending.take_theirs(body.sequence, body.previous)
        return await intent.answer(Mend(order, body.topic, body.key, how))


def _about_the_topic(router: Router, prefix: str, give: _Give) -> None:
    going_on = GoingOn()

    @router.post(f"{prefix}/resend", policy=OPERATOR)
    async def resend_events(body: Resend, request: Request, intent: Intent) -> Reply[Resent]:
        order = give(intent, "resend", body)
        if (earlier := await intent.repeated()) is not None:
            return earlier
        try:
            sent = await _resend(request.app.state.runtime, body)
        except Refused as refused:
            return await intent.answer(Noted(order, body.key, refused.code, refused))
        return await intent.answer(Noted(order, body.key, f"sent-{sent.sent}", sent))

    @router.post(f"{prefix}/backfill", policy=OPERATOR)
    async def start_backfill(body: Fill, request: Request, intent: Intent) -> Reply[Backfill]:
        runtime: Runtime = request.app.state.runtime
        order = give(intent, "backfill", body)
        return await intent.answer(Begin(order, body.type, runtime.handled))

    @router.post(f"{prefix}/adopt-topic", policy=OPERATOR)
    async def adopt_whole_topic(body: Because, request: Request, intent: Intent) -> Reply[Adopted]:
        runtime: Runtime = request.app.state.runtime
        order = give(intent, "adopt-topic", body)
        if (earlier := await intent.repeated()) is not None:
            return earlier
        try:
            done = await going_on.join(runtime.topic, lambda: _adopt(runtime, order))
        except Refused as no:
            return await intent.answer(Noted(order, runtime.topic, no.code, no))
        return response_of(done)


def _about_the_breaker(router: Router, prefix: str, give: _Give) -> None:
    @router.post(f"{prefix}/breaker/pass", policy=OPERATOR)
    async def let_events_pass(body: Because, intent: Intent) -> Reply[Passing]:
        return await intent.answer(LetPass(give(intent, "let-pass", body)))


async def _adopt(runtime: Runtime, order: Asked) -> Stored:
    """The writer of a service that refuses to serve does not run: this is written here.

    The start sees the end of the topic alone: one that serves may know less of what lies before it.
    """
    serves = runtime.started
    adopted = await adopt_topic(runtime.topic, runtime.store, runtime.bus, serving=serves)
    if serves and not adopted.keys:
        raise Refused("not-restored")
    reply = Stored(200, adopted.model_dump_json().encode())
    await order.write(runtime.store, runtime.topic, f"keys-{adopted.keys}", reply)
    return reply


async def _resend(runtime: Runtime, body: Resend) -> Resent:
    """In order, in stretches; a repeat sends duplicates, which hurt nobody."""
    stream = await runtime.store.get("streams", body.key)
    head, _ = runtime.head_of(stream)
    if not stream or body.first > head:
        raise Refused("resend-beyond-head")
    sequence, last, sent = body.first, min(body.last or head, head), 0
    while sequence <= last:
        found = await runtime.store.resend(runtime.topic, body.key, sequence, last, _EVENTS)
        if not found:
            break
        await runtime.publisher.send([Envelope.from_document(event) for event in found])
        sequence, sent = found[-1]["sequence"] + 1, sent + len(found)
    return Resent(sent=sent, head=head)
