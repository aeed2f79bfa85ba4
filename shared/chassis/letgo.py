"""Events of another branch that an operator let go. They stay in the topic for ever.

Whoever reads it from its start meets them again, and would wait for the same decision. One that is
the next of its stream is applied whatever is noted here, so a decision in error loses nothing.
"""

from collections.abc import Sequence
from datetime import datetime

from shared.chassis import parking
from shared.chassis.batch import Ref
from shared.chassis.envelope import Envelope
from shared.chassis.fold import Scope

COLLECTION = "let_go"


def note(scope: Scope, events: Sequence[Envelope], at: datetime) -> None:
    """These are not of the branch that holds."""
    scope.need([_ref(one) for one in events])
    for one in events:
        place = {"topic": one.topic, "key": one.key, "sequence": one.sequence}
        scope.put(_ref(one), {"_id": one.digest, "at": at, **place})


def forget(scope: Scope, events: Sequence[Envelope]) -> None:
    """These are of the branch that holds, after all."""
    scope.need([_ref(one) for one in events])
    for one in events:
        if scope.read(_ref(one)) is not None:
            scope.put(_ref(one), None)


def holds(scope: Scope, arrived: Envelope) -> bool:
    """Whether this was let go, and its key waits for no decision, of which it may be a part."""
    parked = parking.parked_ref(arrived.topic, arrived.key)
    scope.need([_ref(arrived), parked])
    held = scope.read(parked)
    return scope.read(_ref(arrived)) is not None and not (held and held["reason"] == "fork")


def _ref(event: Envelope) -> Ref:
    return Ref(COLLECTION, event.digest)
