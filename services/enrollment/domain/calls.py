"""A call for applicants: when it takes enrolments, by which rules, and from which states."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from services.enrollment.domain.facts import Facts, Inquiry
from services.enrollment.domain.rules import RULES
from shared.events.enrollment import CallClosed, CallPublished
from shared.model import Aggregate, Command, Context, Event, Frozen, Refused, Tick, Unknown
from shared.types import Code, Id, Moment, StateKey

Title = Annotated[str, StringConstraints(min_length=1, max_length=120)]
States = Annotated[tuple[StateKey, ...], Field(max_length=32)]


class CallTerms(Frozen):
    """What is decided of a call before it is published; without states it is for all of them."""

    title: Title
    opens_at: Moment
    closes_at: Moment
    rules_version: Code
    states: States = ()


class Call(CallTerms):
    """A call as published; `closes_at` moves when an officer closes it early."""

    id: Id
    status: Literal["published", "closed"] = "published"


class Publish(Command):
    call_id: Id
    terms: CallTerms


class Close(Command):
    """An officer closes it before its time."""


class Consult(Command):
    """An enrolment asks by which rules it is judged."""

    inquiry: Inquiry


class CallWritten(Event):
    """All that was decided of the call; only a part is published."""

    call: Call


class CallConsulted(Event):
    """The call added its facts to an inquiry."""

    inquiry: Inquiry


CallCommand = Publish | Close | Consult | Tick


def is_open(call: Call | None, now: Context) -> None:
    """A guard: enrolments are drafted and handed in while the call is open."""
    if call is None:
        raise Unknown("call-unknown")
    if call.status == "closed" or now.at >= call.closes_at:
        raise Refused("call-closed")
    if now.at < call.opens_at:
        raise Refused("call-not-open-yet")


def decide(call: Call | None, command: CallCommand, now: Context) -> list[Event]:
    match call, command:
        case None, Publish():
            return _publish(command.call_id, command.terms, now)
        case None, _:
            raise Unknown("call-unknown")
        case Call(), Publish():
            if call != Call(id=call.id, **dict(command.terms)):
                raise Refused("call-exists")
            return []
        case Call(status="published"), Close():
            return [_closed(call, now.at)]
        case Call(status="published"), Tick() if now.at >= call.closes_at:
            return [_closed(call, call.closes_at)]
        case Call(), Consult():
            return [_consulted(call, command.inquiry)]
    return []


def _publish(call_id: Id, terms: CallTerms, now: Context) -> list[Event]:
    if terms.closes_at <= max(terms.opens_at, now.at):
        raise Refused("call-window-empty")
    if terms.rules_version not in RULES:
        raise Refused("rules-version-unknown")
    public = CallPublished(
        call_id=call_id,
        opens_at=terms.opens_at,
        closes_at=terms.closes_at,
        rules_version=terms.rules_version,
    )
    return [CallWritten(call=Call(id=call_id, **dict(terms))), public]


def _closed(call: Call, at: datetime) -> CallClosed:
    return CallClosed(
        call_id=call.id, opens_at=call.opens_at, closes_at=at, rules_version=call.rules_version
    )


def _consulted(call: Call, inquiry: Inquiry) -> CallConsulted:
    told = Facts(rules_version=call.rules_version, call_states=call.states)
    return CallConsulted(inquiry=inquiry.plus(told))


def evolve(call: Call | None, event: Event) -> Call | None:
    match event:
        case CallWritten():
            return event.call
        case CallClosed() if call is not None:
            return call.model_copy(update={"status": "closed", "closes_at": event.closes_at})
    return call


def due(call: Call) -> datetime | None:
    return call.closes_at if call.status == "published" else None


CALLS = Aggregate("calls", Call, decide, evolve, due)
