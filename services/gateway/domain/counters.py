"""Programme counts by state, split by topic and partition so that replicas do not collide.

Only the sum over all parts of a state means something: a part may be below zero, when a woman's
numbers were counted under one topic and moved to her state under another.
"""

from services.gateway.domain.people import Counts, add
from shared.model import Command, Frozen, view
from shared.types import Moment


class Counter(Frozen):
    """The part of a state's counts that came in by one partition."""

    id: str
    state: str
    counts: Counts
    as_of: Moment


class Add(Command):
    """These numbers more, or less, as of this instant."""

    id: str
    state: str
    counts: Counts
    at: Moment


def evolve(counter: Counter | None, change: Add) -> Counter:
    """Sums do not depend on the order of what is added."""
    return Counter(
        id=change.id,
        state=change.state,
        counts=add(counter.counts if counter else {}, change.counts),
        as_of=max(counter.as_of, change.at) if counter else change.at,
    )


COUNTERS = view("counters", Counter, evolve)
