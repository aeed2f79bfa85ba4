"""Seats of a cohort and places of a fair, on two replicas at once, against a list on paper."""

from abc import abstractmethod
from datetime import datetime, timedelta
from typing import Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from services.trade.domain.fairs import FAIRS
from services.trade.domain.places import PLACES, Confirm, Withdraw
from services.trade.handlers import handlers as trade
from services.training.domain.cohorts import COHORTS, PlanCohort
from services.training.domain.courses import COURSES, Publish
from services.training.domain.seats import SEATS, Accept, Drop
from services.training.handlers import handlers as training
from shared.model import Aggregate, Do, Handlers
from tests.support.replicas import Replicas
from tests.support.spec import NOON
from tests.unit.trade import scenes as fair
from tests.unit.training import scenes as academy

PLACES_THERE = 2
WOMEN = tuple(f"ana-{number}" for number in range(6))
WHO = st.sampled_from(WOMEN)
OFFER = timedelta(seconds=60)


class Places(RuleBasedStateMachine):
    """Who holds a place, who was offered one until when, and who waits, in order."""

    handlers: ClassVar[Handlers]
    held_by: ClassVar[Aggregate[Any]]
    first: ClassVar[str]
    """What she gets who asks while a place is free."""

    def __init__(self) -> None:
        super().__init__()
        self.at = NOON
        self.service = Replicas(self.handlers)
        self.held: set[str] = set()
        self.offered: dict[str, datetime] = {}
        self.line: list[str] = []
        self.prepare()

    @abstractmethod
    def prepare(self) -> None:
        """Women who may ask, and what they ask for."""

    @abstractmethod
    def place(self, who: str) -> str:
        """The id of her place."""

    @abstractmethod
    def ask(self, who: str) -> Do:
        """She asks for a place."""

    @abstractmethod
    def take(self, who: str) -> Do:
        """She takes what she was offered."""

    @abstractmethod
    def leave(self, who: str) -> Do:
        """She gives back what she has."""

    def teardown(self) -> None:
        self.service.close()

    def _later(self, by: timedelta = timedelta(seconds=1)) -> datetime:
        self.at += by
        return self.at

    def _is_in(self, who: str) -> bool:
        return who in self.held or who in self.offered or who in self.line

    def _enter(self, who: str) -> None:
        if len(self.held) + len(self.offered) >= PLACES_THERE:
            self.line.append(who)
        elif self.first == "confirmed":
            self.held.add(who)
        else:
            self.offered[who] = self.at + OFFER

    def _serve(self) -> None:
        while self.line and len(self.held) + len(self.offered) < PLACES_THERE:
            self.offered[self.line.pop(0)] = self.at + OFFER

    @rule(who=WHO)
    def one_asks(self, who: str) -> None:
        assert self.service.command(self.ask(who), at=self._later(), actor=who) == ""
        if not self._is_in(who):
            self._enter(who)

    @rule(who=st.permutations(WOMEN), count=st.integers(2, 4))
    def several_ask_at_once(self, who: list[str], count: int) -> None:
        """One replica hears them in this order, the other the other way round."""
        new = [one for one in who if not self._is_in(one)][:count]
        at = self._later()
        assert not any(self.service.race([[self.ask(one)] for one in new], at=at))
        self._order(new)

    def _order(self, new: list[str]) -> None:
        orders = (new, new[::-1])
        free = max(0, PLACES_THERE - len(self.held) - len(self.offered))
        served = {one for one in new if self._status(one) != "waitlisted"}
        order = next(one for one in orders if set(one[:free]) == served)
        waiting = sorted(set(new) - served, key=lambda one: self._state(one).rank)
        assert waiting in [[one for one in order if one not in served] for order in orders]
        for one in [*order[:free], *waiting]:
            self._enter(one)

    @rule(who=WHO)
    def one_takes(self, who: str) -> None:
        at = self._later()
        refused = self.service.command(self.take(who), at=at, actor=who)
        until = self.offered.get(who)
        if until is not None and at < until:
            assert refused == ""
            del self.offered[who]
            self.held.add(who)
        else:
            assert refused or who in self.held

    @rule(who=WHO)
    def one_leaves(self, who: str) -> None:
        refused = self.service.command(self.leave(who), at=self._later(), actor=who)
        if not self._is_in(who):
            return
        assert refused == ""
        self.held.discard(who)
        self.offered.pop(who, None)
        self.line = [one for one in self.line if one != who]
        self._serve()

    @rule()
    def time_passes(self) -> None:
        self._later(OFFER)
        self.service.tick(self.held_by, self.at)
        while late := [one for one, until in self.offered.items() if until <= self.at]:
            del self.offered[min(late, key=lambda one: (self.offered[one], self.place(one)))]
            self._serve()

    @invariant()
    def the_list_agrees(self) -> None:
        wanted = dict.fromkeys(self.held, "confirmed") | dict.fromkeys(self.offered, "offered")
        wanted |= dict.fromkeys(self.line, "waitlisted")
        live = {"confirmed", "offered", "waitlisted"}
        found = {one: status for one in WOMEN if (status := self._status(one)) in live}
        assert found == wanted
        ranks = [self._state(one).rank for one in self.line]
        assert ranks == sorted(set(ranks))
        assert len(self.held) + len(self.offered) <= PLACES_THERE

    def _state(self, who: str) -> Any:
        return self.service.get(self.held_by, self.place(who))

    def _status(self, who: str) -> str:
        state = self._state(who)
        return state.status if state else ""


class Seats(Places):
    """Training: a free seat is hers at once."""

    handlers, held_by, first = training, SEATS, "confirmed"

    def prepare(self) -> None:
        plan = academy.PLAN.model_copy(update={"capacity": PLACES_THERE})
        self.service.command(Do(COURSES, "course-1", Publish(course=academy.COURSE)))
        cohort = PlanCohort(cohort_id="cohort-1", plan=plan)
        self.service.command(Do(COHORTS, "cohort-1", cohort))
        for who in WOMEN:
            self.service.fact(academy.enrolled(who))

    def place(self, who: str) -> str:
        return academy.seat_of(who)

    def ask(self, who: str) -> Do:
        return academy.request(who)

    def take(self, who: str) -> Do:
        return Do(SEATS, self.place(who), Accept())

    def leave(self, who: str) -> Do:
        return Do(SEATS, self.place(who), Drop(reason_code="health"))


class Fairs(Places):
    """Trade: a free place is kept for her until she confirms."""

    handlers, held_by, first = trade, PLACES, "offered"

    def prepare(self) -> None:
        self.service.command(fair.publish(places=PLACES_THERE))
        assert self.service.get(FAIRS, "fair-1").places == PLACES_THERE
        for who in WOMEN:
            self.service.fact(fair.enrolled(who))
            self.service.fact(fair.certified(who))

    def place(self, who: str) -> str:
        return fair.place_of(who)

    def ask(self, who: str) -> Do:
        return fair.apply(who)

    def take(self, who: str) -> Do:
        return Do(PLACES, self.place(who), Confirm())

    def leave(self, who: str) -> Do:
        return Do(PLACES, self.place(who), Withdraw(reason_code="no-time"))


TestSeats, TestFairs = Seats.TestCase, Fairs.TestCase
TestSeats.settings = TestFairs.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None
)
