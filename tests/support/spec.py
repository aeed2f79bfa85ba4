"""Given these events, when this command comes, then these events or this refusal."""

from datetime import UTC, datetime
from typing import Any, Self

import pytest

from shared.model import Aggregate, Command, Context, Event, Refused

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def context(
    at: datetime = NOON,
    actor: str = "officer-1",
    cause: str = "cause-1",
    on_behalf_of: str | None = None,
) -> Context:
    """A context at noon of a Monday, by an officer."""
    return Context(at, actor, cause, "correlation-1", on_behalf_of)


class Spec:
    """One scenario over one aggregate; every step returns a new or the same scenario."""

    def __init__(self, aggregate: Aggregate[Any], state: Any = None) -> None:
        self.aggregate = aggregate
        self.state = state
        self.events: list[Event] = []
        self.refusal: Refused | None = None

    def given(self, *events: Event) -> "Spec":
        """Fold these facts first."""
        state = self.state
        for event in events:
            state = self.aggregate.evolve(state, event)
        return Spec(self.aggregate, state)

    def when(
        self,
        command: Command,
        *,
        at: datetime = NOON,
        actor: str = "officer-1",
        on_behalf_of: str | None = None,
    ) -> "Spec":
        """Decide this command and fold what it says."""
        done = Spec(self.aggregate, self.state)
        now = context(at, actor, on_behalf_of=on_behalf_of)
        try:
            done.events = self.aggregate.decide(self.state, command, now)
        except Refused as refusal:
            done.refusal = refusal
        for event in done.events:
            done.state = self.aggregate.evolve(done.state, event)
        return done

    def then(self, *expected: Event) -> Self:
        """Exactly these events came out."""
        assert self.refusal is None, f"refused: {self.refusal}"
        assert self.events == list(expected)
        return self

    def then_nothing(self) -> Self:
        """A repeat: accepted, and nothing happened."""
        return self.then()

    def then_refused(self, code: str) -> Self:
        """The rule said no, with this code."""
        if self.refusal is None:
            pytest.fail(f"not refused, but {self.events}")
        assert self.refusal.code == code
        return self

    def then_due(self, at: datetime | None) -> Self:
        """The next deadline of the state is this one."""
        assert self.aggregate.due is not None, "this aggregate has no deadlines"
        assert self.state is not None, "there is no state"
        assert self.aggregate.due(self.state) == at
        return self
