"""A dossier: one woman's things in training, so that reactions find them without searching."""

from shared.model import Aggregate, Command, Context, Event, Frozen, Refused
from shared.types import Id

MAX_SEATS = 50
"""Live seats of one woman: what her withdrawal drops in one intent."""


class HeldSeat(Frozen):
    """A seat that she has or waits for, and its course."""

    seat_id: Id
    course_id: Id


class Dossier(Frozen):
    """Her live enrolments, her live seats, and the courses that she is certified in."""

    id: Id
    enrolments: tuple[Id, ...] = ()
    seats: tuple[HeldSeat, ...] = ()
    certified: tuple[Id, ...] = ()


class OpenEnrolment(Command):
    person_id: Id
    enrolment_id: Id


class CloseEnrolment(Command):
    """She withdrew one; with the last one her seats go."""

    enrolment_id: Id


class HoldSeat(Command):
    seat_id: Id
    course_id: Id


class ReleaseSeat(Command):
    seat_id: Id


class Certify(Command):
    """She has the certificate: the seat that earned it is done."""

    course_id: Id


class Uncertify(Command):
    course_id: Id


class EnrolmentOpened(Event):
    """One more enrolment is live."""

    person_id: Id
    enrolment_id: Id


class EnrolmentClosed(Event):
    """One enrolment less is live."""

    enrolment_id: Id


class SeatsForsaken(Event):
    """No enrolment is live any more: these seats are to be dropped."""

    seat_ids: tuple[Id, ...]


class SeatHeld(Event):
    """One more seat is live."""

    seat: HeldSeat


class SeatReleased(Event):
    """One seat less is live."""

    seat_id: Id


class CourseCertified(Event):
    """She is certified in one more course."""

    course_id: Id


class CourseUncertified(Event):
    """She is no longer certified in a course."""

    course_id: Id


DossierCommand = OpenEnrolment | CloseEnrolment | HoldSeat | ReleaseSeat | Certify | Uncertify


def is_enrolled(dossier: Dossier | None, _now: Context) -> None:
    """A guard: only an enrolled woman asks for a seat."""
    if dossier is None or not dossier.enrolments:
        raise Refused("not-enrolled")


def decide(dossier: Dossier | None, command: DossierCommand, now: Context) -> list[Event]:
    match command:
        case OpenEnrolment() if dossier is None or command.enrolment_id not in dossier.enrolments:
            return [EnrolmentOpened(**dict(command))]
        case HoldSeat():
            is_enrolled(dossier, now)
    return [] if dossier is None else _change(dossier, command)


def _change(dossier: Dossier, command: DossierCommand) -> list[Event]:
    match command:
        case CloseEnrolment() if command.enrolment_id in dossier.enrolments:
            return _close(dossier, command.enrolment_id)
        case HoldSeat():
            return _hold(dossier, HeldSeat(**dict(command)))
        case ReleaseSeat() if any(one.seat_id == command.seat_id for one in dossier.seats):
            return [SeatReleased(seat_id=command.seat_id)]
        case Certify() if command.course_id not in dossier.certified:
            return [CourseCertified(course_id=command.course_id)]
        case Uncertify() if command.course_id in dossier.certified:
            return [CourseUncertified(course_id=command.course_id)]
    return []


def _close(dossier: Dossier, enrolment_id: Id) -> list[Event]:
    closed = EnrolmentClosed(enrolment_id=enrolment_id)
    if dossier.enrolments != (enrolment_id,) or not dossier.seats:
        return [closed]
    return [closed, SeatsForsaken(seat_ids=tuple(one.seat_id for one in dossier.seats))]


def _hold(dossier: Dossier, seat: HeldSeat) -> list[Event]:
    if seat in dossier.seats:
        return []
    if seat.course_id in dossier.certified:
        raise Refused("course-already-certified")
    if any(one.course_id == seat.course_id for one in dossier.seats):
        raise Refused("course-seat-held")
    if len(dossier.seats) >= MAX_SEATS:
        raise Refused("seats-too-many")
    return [SeatHeld(seat=seat)]


def evolve(dossier: Dossier | None, event: Event) -> Dossier | None:
    if isinstance(event, EnrolmentOpened):
        opened = dossier or Dossier(id=event.person_id)
        return opened.model_copy(update={"enrolments": (*opened.enrolments, event.enrolment_id)})
    return None if dossier is None else dossier.model_copy(update=_changes(dossier, event))


def _changes(dossier: Dossier, event: Event) -> dict[str, object]:
    match event:
        case EnrolmentClosed():
            left = tuple(one for one in dossier.enrolments if one != event.enrolment_id)
            return {"enrolments": left}
        case SeatHeld():
            return {"seats": (*dossier.seats, event.seat)}
        case SeatReleased():
            return {"seats": tuple(s for s in dossier.seats if s.seat_id != event.seat_id)}
        case CourseCertified():
            seats = tuple(one for one in dossier.seats if one.course_id != event.course_id)
            return {"seats": seats, "certified": (*dossier.certified, event.course_id)}
        case CourseUncertified():
            left = tuple(one for one in dossier.certified if one != event.course_id)
            return {"certified": left}
    return {}


DOSSIERS = Aggregate("dossiers", Dossier, decide, evolve)
