"""Which events of a key were made up for, or applied late with a handler: none is done twice.

A backfill reads the offsets that went by without a handler. What was held meanwhile, or let go of
and asked for again, may have been applied by a release that has one: then that is noted here, in
the transaction of its effect.
"""

from collections.abc import Sequence
from typing import Any

from shared.chassis.batch import Ref
from shared.chassis.envelope import Envelope
from shared.chassis.fold import Scope
from shared.chassis.ports import Document
from shared.chassis.ranges import Range, is_within, merged

COLLECTION = "filled"


def filled_ref(arrived: Envelope) -> Ref:
    """The document of a type and a key."""
    return Ref(COLLECTION, f"{arrived.type}/{arrived.key}")


def is_filled(scope: Scope, arrived: Envelope) -> bool:
    """Whether this was made up for."""
    return is_within(arrived.sequence, _done(scope, arrived))


def note(scope: Scope, arrived: Envelope) -> None:
    """This has had its effect: it is not made up for any more."""
    ref, number = filled_ref(arrived), arrived.sequence
    done = merged([*_done(scope, arrived), (number, number)])
    scope.put(ref, {**(scope.read(ref) or {"_id": ref.id}), "done": done})


def _done(scope: Scope, arrived: Envelope) -> list[Range]:
    there: Document | None = scope.read(filled_ref(arrived))
    return _ranges(there["done"] if there else ())


def _ranges(done: Sequence[Any]) -> list[Range]:
    """As they are kept; the numbers one by one that an earlier release kept are taken too."""
    return [(one, one) if isinstance(one, int) else (one[0], one[1]) for one in done]
