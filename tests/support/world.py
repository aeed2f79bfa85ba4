"""A service's rules without its machinery: intents over aggregates and own reactions, in memory.

For tests of handlers: what one command does to several aggregates of a service, all or nothing.
"""

from collections import deque
from datetime import datetime
from itertools import count
from typing import Any

import pytest

from shared.model import Aggregate, Do, Event, Fact, Handlers, Refused, Require, Step, Tick
from tests.support.spec import NOON, context

ROUNDS = 8


class World:
    """The states of one service, the facts that it published, and its reactions."""

    def __init__(self, handlers: Handlers) -> None:
        self.handlers = handlers
        self.states: dict[tuple[str, str], Any] = {}
        self.published: list[Event] = []
        self._causes = count(1)

    def get(self, aggregate: Aggregate[Any], id_: str) -> Any:
        """The state of one aggregate, which must be there."""
        return self.states[aggregate.name, id_]

    def run(self, *steps: Step, at: datetime = NOON, actor: str = "officer-1") -> list[Event]:
        """Run one intent whole, or raise its refusal and change nothing; what it published."""
        now = context(at, actor, cause=f"cause-{next(self._causes)}")
        states, published = dict(self.states), list[Event]()
        waiting = deque((0, step) for step in steps)
        while waiting:
            depth, step = waiting.popleft()
            assert depth < ROUNDS, "reactions never end"
            key = (step.aggregate.name, step.id)
            if isinstance(step, Require):
                step.check(states.get(key), now)
                continue
            for event in step.aggregate.decide(states.get(key), step.command, now):
                states[key] = step.aggregate.evolve(states.get(key), event)
                if event.event_type:
                    published.append(event)
                waiting.extend((depth + 1, more) for more in self.react(event))
        self.states = states
        self.published += published
        return published

    def refused(self, *steps: Step, at: datetime = NOON, actor: str = "officer-1") -> str:
        """Run one intent that must be refused; its code."""
        try:
            events = self.run(*steps, at=at, actor=actor)
        except Refused as refusal:
            return refusal.code
        pytest.fail(f"not refused, but {events}")

    def consume(self, event: Event, at: datetime = NOON) -> list[Event]:
        """A fact of another service arrives."""
        return self.run(*self.react(event), at=at)

    def tick(self, aggregate: Aggregate[Any], at: datetime) -> list[Event]:
        """Every state of this aggregate whose deadline has passed is told so, earliest first."""
        assert aggregate.due is not None, "this aggregate has no deadlines"
        found = [(aggregate.due(s), k[1]) for k, s in self.states.items() if k[0] == aggregate.name]
        past = sorted((due, id_) for due, id_ in found if due is not None and due <= at)
        return [e for _, id_ in past for e in self.run(Do(aggregate, id_, Tick()), at=at)]

    def react(self, event: Event) -> list[Step]:
        """The steps that this service's handlers ask for, if it reacts at all."""
        handler = self.handlers.get(type(event))
        return handler(event, lambda: _fact(event)) if handler else []


def _fact(event: Event) -> Fact:
    key = event.stream_key if event.event_type else ""
    topic = f"telar.{event.publisher()}" if event.event_type else ""
    return Fact("fact-1", event.event_type or "", NOON, topic, key, 1, 0, "correlation-1")
