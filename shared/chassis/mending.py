"""Repairs as intents: each passes the same position check as an arriving event.

Hear     a publisher says how far a stream goes
Drain    the back-off of a parked key is over
Mend     an operator decides: retry, skip, or which branch of a fork holds
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.chassis import letgo, parking, streams
from shared.chassis.audit import Asked, Order
from shared.chassis.batch import Ref
from shared.chassis.control import Head
from shared.chassis.envelope import Envelope
from shared.chassis.fold import Scope, stream_at, stream_ref
from shared.chassis.ports import Document
from shared.chassis.replies import Stored
from shared.chassis.work import Application, Work, caused_by
from shared.model import Context, Frozen, Refused, Unknown


@dataclass(frozen=True, slots=True)
class Waiting:
    """The key of a topic, as one repair sees it."""

    scope: Scope
    topic: str
    key: str
    at: datetime

    @property
    def position(self) -> tuple[int, str]:
        """The number and hash of the last event applied."""
        return streams.applied(stream_at(self.scope, stream_ref(self.key)), self.topic)

    @property
    def parked(self) -> Document | None:
        """What is held."""
        found: Document | None = self.scope.read(parking.parked_ref(self.topic, self.key))
        return found

    def held(self) -> Document:
        """What is held; refuses when nothing is."""
        if (found := self.parked) is None:
            raise Unknown("parked-unknown")
        return found

    def move(self, sequence: int, digest: str) -> None:
        """From now on this was the last event applied."""
        ref = stream_ref(self.key)
        stream = stream_at(self.scope, ref)
        self.scope.put(ref, streams.place(stream, self.topic, sequence, digest))

    def drain(self, *, moved: bool = False) -> None:
        """Apply in order as far as it goes."""
        parking.drain(self.scope, self.topic, self.key, self._apply, self.at, moved=moved)

    def _apply(self, scope: Scope, arrived: Envelope) -> None:
        now = caused_by(arrived, self.at)
        Application(arrived, scope.batch.handlers, -1, now).apply(scope)


def refs(topic: str, key: str) -> list[Ref]:
    """What every repair of a key reads."""
    return [stream_ref(key), parking.parked_ref(topic, key)]


class Drain(Work):
    """Try the head of a parked key again, then what waits behind it."""

    def __init__(self, context: Context, topic: str, key: str) -> None:
        super().__init__(context)
        self.topic, self.key = topic, key

    def wanted(self) -> Sequence[Ref]:
        """The positions of the key and what is held."""
        return refs(self.topic, self.key)

    def fold(self, scope: Scope) -> None:
        """Apply in order as far as it goes."""
        Waiting(scope, self.topic, self.key, self.context.at).drain()


class Hear(Work):
    """The publisher of a topic has said where the stream of a key ends.

    `asked` is the number that we had told it when we asked, if this is the answer to that: an
    answer below it means that the publisher never gave that number, or took it back.
    """

    def __init__(self, context: Context, topic: str, head: Head, asked: int | None) -> None:
        super().__init__(context)
        self.topic, self.head, self.asked = topic, head, asked

    def wanted(self) -> Sequence[Ref]:
        """The positions of the key and what is held."""
        return refs(self.topic, self.head.key)

    def fold(self, scope: Scope) -> str:
        """Compare; `ahead` means that the publisher seems to know less than we do."""
        here, head = Waiting(scope, self.topic, self.head.key, self.context.at), self.head
        sequence, digest = here.position
        if self._is_taken_back(here) or (head.sequence == sequence and head.digest != digest):
            other = {"sequence": head.sequence, "digest": head.digest}
            parking.fork(scope, self.topic, head.key, other, here.at)
            return "fork"
        if head.sequence > sequence:
            parking.expect(scope, self.topic, head.key, head.sequence, here.at)
            return "behind"
        if head.sequence < sequence:
            return "ahead"
        if (parked := here.parked) and parking.is_gap(parked) and parked["known"] <= sequence:
            parking.release(scope, self.topic, head.key)
        return "level"

    def _is_taken_back(self, here: Waiting) -> bool:
        if self.asked is None or self.asked <= self.head.sequence:
            return False
        known = here.parked["known"] if here.parked else 0
        return max(here.position[0], known) >= self.asked


class Mended(Frozen):
    """What a repair came to. `outcome`: released, waiting, failed or fork."""

    topic: str
    key: str
    outcome: str
    position: int
    code: str


Decision = Callable[[Waiting], None]


class Mend(Order):
    """An operator's decision about one parked key, audited with its reason."""

    def __init__(
        self, asked: Asked, topic: str, key: str, decision: Decision, numbers: str = ""
    ) -> None:
        super().__init__(asked)
        self.topic, self.key, self.decision = topic, key, decision
        self.subject = f"{topic}/{key}/{numbers}" if numbers else f"{topic}/{key}"

    def wanted(self) -> Sequence[Ref]:
        """The positions of the key, and what is held."""
        return [*super().wanted(), *refs(self.topic, self.key)]

    def act(self, scope: Scope) -> Stored:
        """Do as was said, and tell what became of the key."""
        here = Waiting(scope, self.topic, self.key, self.context.at)
        self.decision(here)
        left = here.parked
        ended = left["reason"] if left else "released"
        done = Mended(
            topic=self.topic,
            key=self.key,
            outcome={"gap": "waiting", "dead": "failed"}.get(ended, ended),
            position=here.position[0],
            code=left["code"] if left else "",
        )
        self.asked.note(scope, self.subject, done.outcome)
        return Stored(200, done.model_dump_json().encode())


def retry(here: Waiting) -> None:
    """Try the head again as if for the first time, or ask anew for what is missing."""
    parked = here.held()
    if parked["reason"] == "fork":
        raise Refused("parked-fork")
    parking.keep(here.scope, parked | {"attempts": 0})
    here.drain()
    if (left := here.parked) and left["reason"] == "gap":
        parking.keep(here.scope, left | {"next_attempt": here.at})


def skip(first: int, last: int) -> Decision:
    """Give up the next event of a key, or all from it to `last`: they never have an effect here.

    The hash of the last one is taken, so it or the one after it must be held.
    """

    def decide(here: Waiting) -> None:
        parked = here.held()
        if parked["reason"] == "fork":
            raise Refused("parked-fork")
        if first != here.position[0] + 1 or last < first:
            raise Refused("skip-not-next")
        here.move(last, _digest_of(last, parked))
        here.drain(moved=True)

    return decide


def _digest_of(sequence: int, parked: Document) -> str:
    for event in map(Envelope.from_document, parked["events"]):
        if event.sequence == sequence:
            return event.digest
        if event.sequence == sequence + 1:
            return event.previous
    raise Refused("skip-hash-unknown")


def keep_ours(here: Waiting) -> None:
    """The branch that was applied here holds; what is held of another one is let go."""
    parked = _forked(here)
    position, digest = here.position
    ours: list[Document] = []
    for event in map(Envelope.from_document, parked["events"]):
        if (event.sequence, event.previous) == (position + 1, digest):
            ours.append(event.to_document())
            position, digest = event.sequence, event.digest
    letgo.note(here.scope, [Envelope.from_document(one) for one in _others(parked, ours)], here.at)
    _unfork(here, parked, ours)


def take_theirs(sequence: int | None, previous: str | None) -> Decision:
    """From this number on the other branch holds: its event `sequence` follows `previous`."""

    def decide(here: Waiting) -> None:
        parked = _forked(here)
        if sequence is None:
            raise Refused("branch-unknown")
        if not 1 <= sequence <= here.position[0] + 1:
            raise Refused("branch-unreachable")
        theirs = [one for one in _theirs(parked) if one["sequence"] >= sequence]
        if not previous and (not theirs or theirs[0]["sequence"] != sequence):
            raise Refused("branch-unknown")
        letgo.forget(here.scope, [Envelope.from_document(one) for one in theirs])
        here.move(sequence - 1, previous or str(theirs[0]["previous"]))
        _unfork(here, parked, theirs)

    return decide


def _forked(here: Waiting) -> Document:
    parked = here.held()
    if parked["reason"] != "fork":
        raise Refused("not-forked")
    return parked


def _theirs(parked: Document) -> list[Document]:
    """The event that told of the other branch, if it was one, before others of its number."""
    evidence = _evidence(parked)
    numbers = {one["sequence"] for one in evidence}
    held = [one for one in parked["events"] if one["sequence"] not in numbers]
    return sorted([*evidence, *held], key=lambda one: one["sequence"])


def _others(parked: Document, ours: list[Document]) -> list[Document]:
    """Of what is held, and the event that told of the other branch, what is not ours."""
    return [one for one in (*_evidence(parked), *parked["events"]) if one not in ours]


def _evidence(parked: Document) -> list[Document]:
    """The event that told of the other branch, if it was one."""
    return [parked["fork"]] if "value" in parked["fork"] else []


def _unfork(here: Waiting, parked: Document, events: list[Document]) -> None:
    """Wait no more for a decision; what is not held is asked for at once.

    Of the branch that was let go no number is known any more: asked with it, the publisher would
    answer that it never gave it, and the key be a fork again.
    """
    known = max([here.position[0], *(one["sequence"] for one in events)])
    left = {name: value for name, value in parked.items() if name != "fork"} | {"known": known}
    left |= {"reason": "gap", "code": "", "attempts": 0, "events": events, "dropped": True}
    parking.keep(here.scope, left)
    here.drain(moved=True)
