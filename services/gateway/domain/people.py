"""The directory: of each woman her state, once known, and what was counted of her.

Nothing orders the facts of different topics, so her numbers are kept here first. They stand under
"unknown" in the counters until enrollment tells her state, and are then moved as one.
"""

from pydantic import Field

from shared.model import Aggregate, Command, Context, Event, Frozen
from shared.types import Id, Moment, StateKey

UNKNOWN = "unknown"
WOMEN = "women_"
"""Before the name of a count: of how many women it is."""

Counts = dict[str, int]


class Person(Frozen):
    """One woman, as far as the programme's counts need her."""

    id: Id
    state: str = UNKNOWN
    counts: Counts = Field(default_factory=dict)
    as_of: Moment


class Apply(Command):
    """A fact of hers arrived from this topic and partition."""

    person_id: Id
    topic: str
    partition: int
    at: Moment
    counts: Counts
    state: StateKey | None = None


class FactApplied(Event):
    """What her entry knows now."""

    person_id: Id
    at: Moment
    counts: Counts
    state: str


class Counted(Event):
    """The counter of this state, topic and partition changes by these numbers."""

    state: str
    topic: str
    partition: int
    at: Moment
    counts: Counts


def decide(person: Person | None, command: Apply, _now: Context) -> list[Event]:
    """Count the fact where she belongs; bring the rest along when that has changed."""
    before = person.state if person else UNKNOWN
    after = command.state or before
    mine = person.counts if person else {}
    moved = mine if after != before else {}
    news = command.counts | {WOMEN + name: 1 for name in command.counts if name not in mine}
    events: list[Event] = [
        FactApplied(person_id=command.person_id, at=command.at, counts=news, state=after),
        _counted(command, after, add(moved, news)),
    ]
    if moved:
        events.append(_counted(command, before, {name: -value for name, value in moved.items()}))
    return events


def evolve(person: Person | None, event: FactApplied | Counted) -> Person | None:
    """Fold what is known of her."""
    if isinstance(event, Counted):
        return person
    return Person(
        id=event.person_id,
        state=event.state,
        counts=add(person.counts if person else {}, event.counts),
        as_of=max(person.as_of, event.at) if person else event.at,
    )


def add(one: Counts, other: Counts) -> Counts:
    """The sum by name."""
    return {name: one.get(name, 0) + other.get(name, 0) for name in {**one, **other}}


def _counted(command: Apply, state: str, counts: Counts) -> Counted:
    return Counted(
        state=state,
        topic=command.topic,
        partition=command.partition,
        at=command.at,
        counts=counts,
    )


PEOPLE = Aggregate("people", Person, decide, evolve)
