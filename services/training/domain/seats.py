"""A seat: one woman in one cohort, from her request to her completion.

The cohort says whether there is a place; the seat keeps what she was told, the clock of an offer,
her attendance, and whether she completed.
"""

from datetime import datetime
from typing import Literal

from services.training.domain.cohorts import Terms
from services.training.domain.completion import Attendance, assess
from shared.events.training import (
    AttendanceRecorded,
    CourseCompleted,
    SeatConfirmed,
    SeatDropped,
    SeatOfferExpired,
    SeatPromoted,
    SeatRequested,
    SeatWaitlisted,
)
from shared.model import (
    Aggregate,
    Command,
    Context,
    Event,
    Forbidden,
    Frozen,
    Refused,
    Tick,
    Unknown,
)
from shared.types import Code, Id, Moment, PositiveCount

SeatStatus = Literal[
    "requested",
    "confirmed",
    "waitlisted",
    "offered",
    "expired",
    "dropped",
    "completed",
    "revoked",
]

DropReason = Literal[
    "no-time",
    "care-duties",
    "health",
    "moved-away",
    "no-connectivity",
    "other-course",
    "never-attended",
    "prefer-not-to-say",
]
"""Why a seat is given up by hand; a withdrawn enrolment has a code of its own."""


class Seat(Frozen):
    """One woman in one cohort. `helped_by`: who asked for it in her name."""

    id: Id
    person_id: Id
    cohort_id: Id
    status: SeatStatus = "requested"
    terms: Terms | None = None
    rank: PositiveCount | None = None
    expires_at: Moment | None = None
    reason_code: Code | None = None
    attendance: tuple[Attendance, ...] = ()
    helped_by: Id | None = None


class Request(Command):
    seat_id: Id
    person_id: Id
    cohort_id: Id


class Confirm(Command):
    """The cohort had a free place."""

    terms: Terms


class Queue(Command):
    """The cohort is full: she stands in line."""

    terms: Terms
    rank: PositiveCount


class Promote(Command):
    """A place came free and she is first in line."""

    expires_at: Moment


class Accept(Command):
    """She takes the place that is kept for her."""


class Drop(Command):
    reason_code: Code


class Record(Command):
    """A trainer says what one session saw of her."""

    attendance: Attendance


class Complete(Command):
    """A trainer asks whether the completion rule is met."""


class Void(Command):
    """Her completion was revoked."""


class RequestHelped(Event):
    """Somebody asked for the seat in her name."""

    helped_by: Id


class TermsKept(Event):
    """She now has or waits for a seat on these terms."""

    person_id: Id
    seat_id: Id
    terms: Terms


class SeatVoided(Event):
    """The seat no longer counts as completed."""


SeatCommand = Request | Confirm | Queue | Promote | Accept | Drop | Record | Complete | Void | Tick


def decide(seat: Seat | None, command: SeatCommand, now: Context) -> list[Event]:
    match seat, command:
        case None, Request():
            return _request(command, now)
        case None, _:
            raise Unknown("seat-unknown")
        case Seat(), Request() | Drop() | Accept():
            return _hers(seat, command, now)
        case Seat(), Record() | Complete() | Void():
            return _trainers(seat, command, now)
        case Seat(status="requested"), Confirm():
            return [_kept(seat, command.terms), SeatConfirmed(**_who(seat))]
        case Seat(status="requested"), Queue():
            waitlisted = SeatWaitlisted(**_who(seat), rank=command.rank)
            return [_kept(seat, command.terms), waitlisted]
        case Seat(status="waitlisted"), Promote():
            return [SeatPromoted(**_who(seat), expires_at=command.expires_at)]
        case Seat(status="offered", expires_at=datetime() as end), Tick() if now.at >= end:
            return [SeatOfferExpired(**_who(seat))]
    return []


def _request(command: Request, now: Context) -> list[Event]:
    requested = SeatRequested(**dict(command))
    return [requested, RequestHelped(helped_by=now.helper)] if now.helper else [requested]


def _hers(seat: Seat, command: Request | Drop | Accept, now: Context) -> list[Event]:
    match seat, command:
        case Seat(status="completed" | "revoked"), _:
            raise Refused("seat-closed")
        case Seat(status="dropped" | "expired"), Request():
            return _request(command, now)
        case Seat(status="dropped" | "expired"), Drop():
            return []
        case Seat(), Drop():
            return [SeatDropped(**_who(seat), reason_code=command.reason_code)]
        case Seat(status="offered", expires_at=datetime() as end), Accept() if now.at < end:
            return [SeatConfirmed(**_who(seat))]
        case Seat(status="offered" | "expired"), Accept():
            raise Refused("seat-offer-expired")
        case Seat(status="waitlisted" | "dropped"), Accept():
            raise Refused("seat-not-offered")
    return []


def _trainers(seat: Seat, command: Record | Complete | Void, now: Context) -> list[Event]:
    if not isinstance(command, Void):
        _bar(seat, now)
    match seat, command:
        case Seat(status="completed"), Void():
            return [SeatVoided()]
        case (Seat(), Void()) | (Seat(status="completed"), Complete()):
            return []
        case Seat(status="confirmed", terms=Terms() as terms), Record():
            return _record(seat, terms, command.attendance)
        case Seat(status="confirmed", terms=Terms() as terms), Complete():
            return _complete(seat, terms)
        case Seat(status="completed" | "revoked"), _:
            raise Refused("seat-closed")
    raise Refused("seat-not-confirmed")


def _bar(seat: Seat, now: Context) -> None:
    if now.acts_for(seat.person_id):
        raise Forbidden("own-seat")
    if now.actor == seat.helped_by:
        raise Forbidden("helper-may-not-decide")


def _record(seat: Seat, terms: Terms, new: Attendance) -> list[Event]:
    if new.session > terms.sessions:
        raise Refused("session-unknown")
    if new in seat.attendance:
        return []
    if any(one.session == new.session for one in seat.attendance):
        raise Refused("attendance-already-recorded")
    return [AttendanceRecorded(person_id=seat.person_id, seat_id=seat.id, **dict(new))]


def _complete(seat: Seat, terms: Terms) -> list[Event]:
    recorded, share = assess(terms, seat.attendance)
    if share.result == "unmet":
        raise Refused("completion-attendance-short")
    if recorded.result != "met":
        raise Refused("completion-attendance-missing")
    who = _who(seat)
    version = terms.rule.version
    return [CourseCompleted(**who, course_id=terms.course_id, rules_version=version)]


def _kept(seat: Seat, terms: Terms) -> TermsKept:
    return TermsKept(person_id=seat.person_id, seat_id=seat.id, terms=terms)


def _who(seat: Seat) -> dict[str, Id]:
    return {"person_id": seat.person_id, "seat_id": seat.id, "cohort_id": seat.cohort_id}


def evolve(seat: Seat | None, event: Event) -> Seat | None:
    if isinstance(event, SeatRequested):  # also again, after a drop: nothing of before remains
        return Seat(id=event.seat_id, person_id=event.person_id, cohort_id=event.cohort_id)
    return None if seat is None else seat.model_copy(update=_changes(seat, event))


def _changes(seat: Seat, event: Event) -> dict[str, object]:
    match event:
        case RequestHelped():
            return {"helped_by": event.helped_by}
        case TermsKept():
            return {"terms": event.terms}
        case SeatConfirmed():
            return {"status": "confirmed", "rank": None, "expires_at": None}
        case SeatWaitlisted():
            return {"status": "waitlisted", "rank": event.rank}
        case SeatPromoted():
            return {"status": "offered", "rank": None, "expires_at": event.expires_at}
        case SeatOfferExpired():
            return {"status": "expired", "rank": None, "expires_at": None}
        case SeatDropped():
            gone = {"status": "dropped", "rank": None, "expires_at": None}
            return {**gone, "reason_code": event.reason_code}
        case AttendanceRecorded(session=session, state=state, source=source):
            new = Attendance(session=session, state=state, source=source)
            return {"attendance": (*seat.attendance, new)}
        case CourseCompleted():
            return {"status": "completed"}
        case SeatVoided():
            return {"status": "revoked"}
    return {}


def due(seat: Seat) -> datetime | None:
    return seat.expires_at if seat.status == "offered" else None


SEATS = Aggregate("seats", Seat, decide, evolve, due)
