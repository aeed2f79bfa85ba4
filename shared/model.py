"""The vocabulary of rules: states, commands, events, aggregates, intents. Pure and small.

A rule module holds an aggregate: a state, its commands, `decide(state, command, now)` and
`evolve(state, event)` (the Decider pattern, after Jérémie Chassaing). Nothing here reads a clock,
makes a random value or does I/O: time, actor and cause arrive in the `Context`.

What is made anew for each event is a `NamedTuple`: it takes a third of the time of a frozen
dataclass to make.
"""

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict

EVENT_BYTES = 256 * 1024
"""No published event is larger than this once encoded."""


class Frozen(BaseModel):
    """A value: immutable, and closed to fields that it does not name."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Command(Frozen):
    """Something that somebody wants done to one aggregate."""


class Tick(Command):
    """The instant that `due` named has come."""


class Private:
    """Marks a field of an event that stays in state: never published, never in the outbox."""


class Event(BaseModel):
    """A fact. A published one is a storage format: its type and its fields are never re-used.

    `class SeatConfirmed(Event, type="telar.training.seat-confirmed.v1", key="person_id")` belongs
    to the topic `telar.training` and to the stream of that person. Without a type it is internal:
    only reactions of the same intent see it; it has no number and is not published.
    Readers ignore fields that they do not know (readers are open).
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    event_type: ClassVar[str | None] = None
    key_field: ClassVar[str] = ""
    private_fields: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, type: str | None = None, key: str = "") -> None:
        super().__init_subclass__()
        cls.event_type, cls.key_field = type, key

    @classmethod
    def __pydantic_init_subclass__(
        cls,
        type: str | None = None,
        key: str = "",
        **kwargs: Any,
    ) -> None:
        super().__pydantic_init_subclass__(**kwargs)  # now the fields are known
        cls.private_fields = frozenset(
            name for name, info in cls.model_fields.items() if Private in info.metadata
        )
        if type is None:
            return
        if key not in cls.model_fields:
            raise TypeError(f"{type} has no field {key!r} to be keyed by")
        if EVENT_TYPES.setdefault(type, cls) is not cls:
            raise TypeError(f"{type} is declared twice")

    @property
    def stream_key(self) -> str:
        """The key of the stream this fact belongs to: a person's id where there is one."""
        return str(getattr(self, self.key_field))

    @classmethod
    def publisher(cls) -> str:
        """The service that publishes this type: `training`."""
        return (cls.event_type or "").split(".")[1] if cls.event_type else ""


EVENT_TYPES: dict[str, type[Event]] = {}
"""Every published type by its name, filled as the modules of `shared.events` are imported."""


class Refused(Exception):
    """A rule says no. The code is stable and has a text for her in es-MX (409).

    `known` are amounts or counts that tell what would do; whoever may ask may see them.
    """

    status: ClassVar[int] = 409

    def __init__(self, code: str, **known: int) -> None:
        super().__init__(code)
        self.code, self.known = code, known


class Forbidden(Refused):
    """The caller may not do this, whatever the state (403)."""

    status = 403


class Unknown(Refused):
    """There is no such thing, or it is not hers to see (404)."""

    status = 404


class Context(NamedTuple):
    """What a decision may know beyond its state: stamped once an intent, kept over retries."""

    at: datetime
    actor: str
    cause: str
    correlation: str
    on_behalf_of: str | None = None
    traceparent: str | None = None

    def new_id(self, name: str) -> str:
        """An id that a redelivery makes again: uuid5 of the cause and a name."""
        return new_id(self.cause, name)

    def acts_for(self, person_id: str) -> bool:
        """Whether it is she who acts, or somebody for her."""
        return person_id in (self.actor, self.on_behalf_of)

    @property
    def helper(self) -> str | None:
        """Who acts for another, if so."""
        return self.actor if self.on_behalf_of else None


def new_id(cause: str, name: str) -> str:
    """A deterministic id from what caused a thing and what it is for."""
    return str(uuid5(_IDS, f"{cause}/{name}"))


_IDS = UUID("6f0a5a62-6c0c-5d2f-9a35-3a5c7c1f9d10")

State = TypeVar("State", bound=Frozen)


@dataclass(frozen=True, eq=False)
class Aggregate(Generic[State]):
    """One consistency boundary, bound to the collection of its name.

    `decide` returns the events of a command, or an empty list for a repeat. `evolve` folds one
    event. `due` names the instant at which a `Tick` is owed. `unique` maps the name of a unique
    index to the refusal code that its violation means.
    """

    name: str
    state: type[State]
    decide: Callable[[State | None, Any, Context], list[Any]]
    evolve: Callable[[State | None, Any], State | None]
    due: Callable[[State], datetime | None] | None = None
    unique: Mapping[str, str] = field(default_factory=dict)


def view(
    name: str, state: type[State], evolve: Callable[[State | None, Any], State | None]
) -> Aggregate[State]:
    """An aggregate that only evolves: its commands are folded as they come, nothing refuses."""
    return Aggregate(name, state, lambda _state, command, _now: [command], evolve)


class Do(NamedTuple):
    """One command for one aggregate; a list of them succeeds or fails whole."""

    aggregate: Aggregate[Any]
    id: str
    command: Command


class Require(NamedTuple):
    """A guard across aggregates: `check(state, now)` raises `Refused` when it does not hold."""

    aggregate: Aggregate[Any]
    id: str
    check: Callable[[Any, Context], None]


Step = Do | Require


class Fact(NamedTuple):
    """Where an event stands: its place in its stream and what is known of its origin."""

    id: str
    type: str
    at: datetime
    topic: str
    key: str
    sequence: int
    partition: int
    correlation: str


@dataclass(frozen=True, slots=True)
class Handler:
    """One reaction: the function, whether it wants the `Fact`, and the refusals it foresees."""

    react: Callable[..., list[Step]]
    with_fact: bool
    may_refuse: frozenset[str]

    def __call__(self, event: Event, fact: Callable[[], Fact]) -> list[Step]:
        """The steps that this event asks for; `fact` is called only if it is wanted."""
        return self.react(event, fact()) if self.with_fact else self.react(event)


React = TypeVar("React", bound=Callable[..., list[Step]])


class Handlers:
    """The reactions of one service, by event type: events in, a list of steps out."""

    def __init__(self) -> None:
        self._by_type: dict[type[Event], Handler] = {}

    def on(self, *types: type[Event], may_refuse: Collection[str] = ()) -> Callable[[React], React]:
        """Register a pure function `(event)` or `(event, fact)` for these types.

        For a fact of another service a refusal must be foreseen in `may_refuse`, or it is a
        failure and parks the key; for an own event it refuses the whole intent.
        """

        def register(react: React) -> React:
            with_fact = len(inspect.signature(react).parameters) == 2
            for event_type in types:
                if event_type in self._by_type:
                    raise TypeError(f"{event_type.__name__} has two handlers")
                self._by_type[event_type] = Handler(react, with_fact, frozenset(may_refuse))
            return react

        return register

    def get(self, event_type: type[Event]) -> Handler | None:
        """The reaction to this type, if there is one."""
        return self._by_type.get(event_type)

    def named(self, event_type: str) -> Handler | None:
        """The reaction to the type of this name, if it is known and there is one."""
        known = EVENT_TYPES.get(event_type)
        return self.get(known) if known is not None else None

    def types(self) -> list[type[Event]]:
        """Every type that is reacted to, in the order of registration."""
        return list(self._by_type)
