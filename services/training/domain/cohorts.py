"""A cohort: a group with a limited number of places and a ranked wait list. It owns the places.

A place is held, or kept for someone who was offered it, or free. While anyone waits none is free:
whatever frees one offers it at once to the first in line. The seat of each woman follows what is
said here, and her seat, not the cohort, watches the clock of her offer.

When the cohort begins nobody may ask for a place or waits for one any more, and no offer outlives
that moment: a place that comes free later stays free. So a seat whose completion is revoked keeps
its place; she may take the course again in another cohort.
"""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

import shared.types
from services.training.domain.courses import CompletionRule
from shared.events.training import CohortOpened
from shared.model import Aggregate, Command, Context, Event, Frozen, Refused, Tick, Unknown
from shared.types import Code, Id, Language, Moment, PositiveCount, StateKey, StoredDay, start_of

PAGE = 100
"""So many waits end in one intent; the clock does the rest."""

MAX_WAITING = 5_000
"""The list is part of one document, which has a largest size."""

Capacity = Annotated[int, Field(strict=True, ge=1, le=2_000)]
Sessions = Annotated[int, Field(strict=True, ge=1, le=200)]
OfferSeconds = Annotated[int, Field(strict=True, ge=1, le=90 * 24 * 3600)]


class Plan(Frozen):
    """What the training desk decides about a cohort before it opens."""

    course_id: Id
    language: Language
    state: StateKey
    capacity: Capacity
    starts_on: StoredDay
    sessions: Sessions
    offer_seconds: OfferSeconds

    @property
    def begins_at(self) -> datetime:
        """The first moment at which nobody can ask for a place any more."""
        return start_of(self.starts_on)


class Waiting(Frozen):
    """One woman in line. A rank is given once, so a lower one always came first."""

    seat_id: Id
    rank: PositiveCount


class Terms(Frozen):
    """What a seat of this cohort asks of a woman, as it stood when she asked for it."""

    course_id: Id
    sessions: Sessions
    rule: CompletionRule


class Cohort(Plan):
    """Who holds, is offered, or waits for a place. Without a rule it is not open yet."""

    id: Id
    rule: CompletionRule | None = None
    held: tuple[Id, ...] = ()
    offered: tuple[Id, ...] = ()
    waiting: tuple[Waiting, ...] = ()
    last_rank: int = 0
    close_at: Moment | None = None

    @property
    def free(self) -> int:
        """Places that are neither held nor kept for someone."""
        return self.capacity - len(self.held) - len(self.offered)

    def knows(self, seat_id: Id) -> bool:
        """Whether this seat holds, is offered, or waits for a place."""
        waits = any(one.seat_id == seat_id for one in self.waiting)
        return waits or seat_id in self.held or seat_id in self.offered


class PlanCohort(Command):
    cohort_id: Id
    plan: Plan


class Open(Command):
    """The course gives this language and told its rule: requests may come."""

    rule: CompletionRule


class Take(Command):
    """A seat is asked for: a place while one is free, else the end of the line."""

    seat_id: Id


class Settle(Command):
    """The place that was kept for a seat is accepted."""

    seat_id: Id


class Leave(Command):
    """A seat no longer holds, is offered, or waits for a place."""

    seat_id: Id


class CohortPlanned(Event):
    """All that was decided of the cohort; only a part is published."""

    cohort_id: Id
    plan: Plan


class RuleKept(Event):
    """The completion rule of the course, as it stood when the cohort opened."""

    rule: CompletionRule


class PlaceGiven(Event):
    """A free place went to a seat."""

    seat_id: Id
    terms: Terms


class PlaceAwaited(Event):
    """A seat stands at the end of the line."""

    seat_id: Id
    terms: Terms
    rank: PositiveCount


class PlaceOffered(Event):
    """A place came free and is kept for the first in line."""

    seat_id: Id
    expires_at: Moment


class PlaceSettled(Event):
    """The place that was kept for a seat is now held by it."""

    seat_id: Id


class PlaceLeft(Event):
    """A seat is off this cohort, whatever it had."""

    seat_id: Id


class ListClosed(Event):
    """The cohort began while these waited: they wait no more."""

    seat_ids: tuple[Id, ...]
    reason_code: Code


class CloseLeft(Event):
    """More waits are to be ended than one intent should move."""

    at: Moment


CohortCommand = PlanCohort | Open | Take | Settle | Leave | Tick


def decide(cohort: Cohort | None, command: CohortCommand, now: Context) -> list[Event]:
    match cohort, command:
        case None, PlanCohort():
            return _plan(command, now)
        case None, _:
            raise Unknown("cohort-unknown")
        case Cohort(rule=None), Open():
            return [RuleKept(rule=command.rule), _opened(cohort)]
        case Cohort(), PlanCohort(plan=plan) if any(getattr(cohort, n) != told for n, told in plan):
            raise Refused("cohort-exists")
        case Cohort(), PlanCohort() | Open():
            return []
        case Cohort(rule=None), _:
            raise Refused("cohort-not-open")
        case Cohort(rule=CompletionRule() as rule), Take(seat_id=seat_id):
            return [] if cohort.knows(seat_id) else _take(cohort, rule, seat_id, now)
        case Cohort(), Settle() if command.seat_id in cohort.offered:
            return [PlaceSettled(seat_id=command.seat_id)]
        case Cohort(), Leave() if cohort.knows(command.seat_id):
            return _leave(cohort, command.seat_id, now)
        case Cohort(), Tick() if (at := due(cohort)) and now.at >= at:
            return _close(cohort, now)
    return []


def _plan(command: PlanCohort, now: Context) -> list[Event]:
    if now.at >= command.plan.begins_at:
        raise Refused("cohort-started")
    return [CohortPlanned(cohort_id=command.cohort_id, plan=command.plan)]


def _opened(cohort: Cohort) -> CohortOpened:
    return CohortOpened(
        cohort_id=cohort.id,
        course_id=cohort.course_id,
        language=cohort.language,
        state=cohort.state,
        capacity=cohort.capacity,
        starts_on=cohort.starts_on,
    )


def _take(cohort: Cohort, rule: CompletionRule, seat_id: Id, now: Context) -> list[Event]:
    if now.at >= cohort.begins_at:
        raise Refused("cohort-started")
    terms = Terms(course_id=cohort.course_id, sessions=cohort.sessions, rule=rule)
    if cohort.free > 0:
        return [PlaceGiven(seat_id=seat_id, terms=terms)]
    if len(cohort.waiting) >= MAX_WAITING or cohort.last_rank >= shared.types.MAX_COUNT:
        raise Refused("cohort-list-full")
    return [PlaceAwaited(seat_id=seat_id, terms=terms, rank=cohort.last_rank + 1)]


def _leave(cohort: Cohort, seat_id: Id, now: Context) -> list[Event]:
    left = PlaceLeft(seat_id=seat_id)
    frees_a_place = seat_id in cohort.held or seat_id in cohort.offered
    if not frees_a_place or not cohort.waiting or now.at >= cohort.begins_at:
        return [left]
    first = cohort.waiting[0]
    expires_at = min(now.at + timedelta(seconds=cohort.offer_seconds), cohort.begins_at)
    return [left, PlaceOffered(seat_id=first.seat_id, expires_at=expires_at)]


def _close(cohort: Cohort, now: Context) -> list[Event]:
    """It began: nobody waits for a place of it any more."""
    left = tuple(one.seat_id for one in cohort.waiting)
    closed = ListClosed(seat_ids=left[:PAGE], reason_code="cohort-started")
    return [closed, CloseLeft(at=now.at)] if len(left) > PAGE else [closed]


def evolve(cohort: Cohort | None, event: Event) -> Cohort | None:
    if cohort is None:
        if not isinstance(event, CohortPlanned):
            return None
        return Cohort(id=event.cohort_id, **dict(event.plan))
    match event:
        case RuleKept():
            return cohort.model_copy(update={"rule": event.rule})
        case PlaceGiven():
            return cohort.model_copy(update={"held": (*cohort.held, event.seat_id)})
        case PlaceAwaited():
            last = Waiting(seat_id=event.seat_id, rank=event.rank)
            waiting = (*cohort.waiting, last)
            return cohort.model_copy(update={"waiting": waiting, "last_rank": event.rank})
        case PlaceOffered():
            off_list = _without(cohort, event.seat_id)
            offered = (*off_list.offered, event.seat_id)
            return off_list.model_copy(update={"offered": offered})
        case PlaceSettled():
            off_list = _without(cohort, event.seat_id)
            return off_list.model_copy(update={"held": (*off_list.held, event.seat_id)})
        case PlaceLeft():
            return _without(cohort, event.seat_id)
        case ListClosed():
            ended = set(event.seat_ids)
            waiting = tuple(one for one in cohort.waiting if one.seat_id not in ended)
            return cohort.model_copy(update={"waiting": waiting, "close_at": None})
        case CloseLeft():
            return cohort.model_copy(update={"close_at": event.at})
    return cohort


def _without(cohort: Cohort, seat_id: Id) -> Cohort:
    return cohort.model_copy(
        update={
            "held": tuple(one for one in cohort.held if one != seat_id),
            "offered": tuple(one for one in cohort.offered if one != seat_id),
            "waiting": tuple(one for one in cohort.waiting if one.seat_id != seat_id),
        }
    )


def due(cohort: Cohort) -> datetime | None:
    return cohort.close_at or (cohort.begins_at if cohort.waiting else None)


COHORTS = Aggregate("cohorts", Cohort, decide, evolve, due)
