"""What an operator did, why, and what came of it: written in the transaction that does it."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from shared.chassis import replies
from shared.chassis.batch import Ref
from shared.chassis.errors import Unavailable
from shared.chassis.fold import Scope
from shared.chassis.ports import Conflict, Document, Put, Store
from shared.chassis.replies import Idempotency, Stored
from shared.chassis.work import Answered
from shared.model import Context, Frozen, Refused

COLLECTION = "audit"
ORDERS, LAST = "orders", "last"
_LAST = Ref(ORDERS, LAST)


@dataclass(frozen=True, slots=True)
class Asked:
    """An operator's command: in whose name, once per idempotency key, and for what reason."""

    context: Context
    idempotency: Idempotency
    action: str
    reason: str

    @property
    def ref(self) -> Ref:
        """The place of its entry; a repeat has the same."""
        return Ref(COLLECTION, self.context.new_id("audit"))

    def note(self, scope: Scope, subject: str, outcome: str) -> None:
        """Enter it with what else the intent changes."""
        scope.put(self.ref, self._entry(subject, outcome))

    async def write(self, store: Store, subject: str, outcome: str, reply: Stored) -> None:
        """Enter it by itself, with its reply; a repeat finds them there."""
        entry = self._entry(subject, outcome)
        answer = self.idempotency.document(reply, self.context.at)
        with suppress(Conflict):
            async with store.transaction() as transaction:
                entries = {COLLECTION: entry, replies.COLLECTION: answer}
                puts = [Put(name, {**one, "version": 1}) for name, one in entries.items()]
                await transaction.write(puts)
                await transaction.commit()

    def _entry(self, subject: str, outcome: str) -> Document:
        return {
            "_id": self.ref.id,
            "at": self.context.at,
            "actor": self.context.actor,
            "action": self.action,
            "subject": subject,
            "reason": self.reason,
            "outcome": outcome,
            "correlation": self.context.correlation,
        }


class Entry(Frozen):
    """One thing that an operator did."""

    at: datetime
    actor: str
    action: str
    subject: str
    reason: str
    outcome: str


class Order(Answered):
    """What an operator wants done, until the store takes no more orders.

    Each changes one document, so each comes before or after the one that ends them: what was
    answered before it can be copied whole, and nothing is answered after it.
    """

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked.context, asked.idempotency)
        self.asked = asked

    def wanted(self) -> Sequence[Ref]:
        """The place of the audit's entry, and whether orders are taken."""
        return [*super().wanted(), self.asked.ref, _LAST]

    def keep(self, scope: Scope, reply: Stored) -> Stored:
        """Raises `Unavailable` when no more orders are taken; a repeat has its answer still."""
        last = scope.read(_LAST)
        if last is not None and last["over"]:
            raise Unavailable("not-ready")
        scope.put(_LAST, {"_id": LAST, "over": False})
        return super().keep(scope, reply)


class Noted(Order):
    """An order that was carried out already, or refused: its entry and its reply."""

    def __init__(self, asked: Asked, subject: str, outcome: str, done: Frozen | Refused) -> None:
        super().__init__(asked)
        self.subject, self.outcome, self.done = subject, outcome, done

    def act(self, scope: Scope) -> Stored:
        """Enter it and answer; a refusal is only answered."""
        if isinstance(self.done, Refused):
            raise self.done
        self.asked.note(scope, self.subject, self.outcome)
        return Stored(200, self.done.model_dump_json().encode())
