"""Her readiness to sell abroad, and the ids of her places: her dossier in trade."""

from shared.events.trade import Leaf, ReadinessAssessed, Requirement
from shared.model import Aggregate, Command, Context, Event, Frozen, Refused
from shared.types import Code, Id, StoredDay, start_of

MAX_PLACES = 50
"""Live places and waits of one woman: what her withdrawal gives back in one intent."""


class Lost(Frozen):
    """A course that she was certified in, and why she is no longer."""

    course_id: Id
    reason_code: Code


class Booked(Frozen):
    """A place that she confirmed, and the day on which its fair begins."""

    place_id: Id
    day: StoredDay


class Readiness(Frozen):
    """What is known of her, her places and waits, and the days on which she is away.

    A place that was confirmed before days were kept has none here: it keeps no other from her.
    """

    id: Id
    enrolments: tuple[Id, ...] = ()
    certified: tuple[Id, ...] = ()
    lost: tuple[Lost, ...] = ()
    places: tuple[Id, ...] = ()
    booked: tuple[Booked, ...] = ()

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """Every condition that is known of her: what she lost is unmet, not forgotten."""
        enrolled = "met" if self.enrolments else "unmet"
        met = (Leaf(code=course(one), result="met") for one in self.certified)
        unmet = (
            Leaf(code=course(one.course_id), result="unmet", reason_code=one.reason_code)
            for one in self.lost
        )
        return (Leaf(code="enrolled", result=enrolled), *met, *unmet)

    @property
    def met(self) -> bool:
        """Enrolled, and certified in at least one course."""
        return bool(self.enrolments and self.certified)


def course(course_id: Id) -> Requirement:
    """The requirement to be certified in a course."""
    return f"course:{course_id}"


class OpenEnrolment(Command):
    person_id: Id
    enrolment_id: Id


class CloseEnrolment(Command):
    """She withdrew one; with the last one her places go."""

    enrolment_id: Id


class Certify(Command):
    person_id: Id
    course_id: Id


class Uncertify(Command):
    course_id: Id
    reason_code: Code


class KeepPlace(Command):
    place_id: Id


class ReleasePlace(Command):
    place_id: Id


class BookDay(Command):
    """She confirmed: on that day she is at no other fair."""

    booked: Booked


class EnrolmentOpened(Event):
    """One more enrolment is live."""

    person_id: Id
    enrolment_id: Id


class EnrolmentClosed(Event):
    """One enrolment less is live."""

    enrolment_id: Id


class CourseCertified(Event):
    """She is certified in one more course; these places may require it."""

    person_id: Id
    course_id: Id
    place_ids: tuple[Id, ...]


class CourseUncertified(Event):
    """She is no longer certified in a course; these places may require it."""

    course_id: Id
    reason_code: Code
    place_ids: tuple[Id, ...]


class PlaceKept(Event):
    """One more place, or wait for one, is hers."""

    place_id: Id


class PlaceReleased(Event):
    """One place, or wait for one, is hers no more."""

    place_id: Id


class DayBooked(Event):
    """One more day is taken."""

    booked: Booked


class PlacesForsaken(Event):
    """No enrolment is live any more: these places are to be given back."""

    place_ids: tuple[Id, ...]


PlaceCommand = KeepPlace | ReleasePlace | BookDay
ReadinessCommand = OpenEnrolment | CloseEnrolment | Certify | Uncertify | PlaceCommand


def meets(readiness: Readiness | None, requirement: str) -> bool:
    """Whether one requirement of a fair is true for her."""
    if readiness is None:
        return False
    if requirement == "enrolled":
        return bool(readiness.enrolments)
    return requirement in map(course, readiness.certified)


def is_enrolled(readiness: Readiness | None, _now: Context) -> None:
    """A guard: only an enrolled woman asks for a place."""
    if not meets(readiness, "enrolled"):
        raise Refused("not-enrolled")


class AnswerFair(Command):
    """A fair asks whether she meets what it requires."""

    place_id: Id
    fair_id: Id
    requirements: tuple[Requirement, ...]


class RequirementsMet(Event):
    """She meets all that the fair requires."""

    place_id: Id
    fair_id: Id


def decide(
    readiness: Readiness | None, command: ReadinessCommand | AnswerFair, now: Context
) -> list[Event]:
    if isinstance(command, AnswerFair):
        if not all(meets(readiness, one) for one in command.requirements):
            raise Refused("requirements-unmet")
        return [RequirementsMet(place_id=command.place_id, fair_id=command.fair_id)]
    said = _change(readiness, command, now)
    after = readiness
    for event in said:
        after = evolve(after, event)
    if after is not None and after.leaves != (readiness.leaves if readiness else ()):
        said.append(ReadinessAssessed(person_id=after.id, met=after.met, leaves=after.leaves))
    return said


def _change(readiness: Readiness | None, command: ReadinessCommand, now: Context) -> list[Event]:
    match command:
        case OpenEnrolment(enrolment_id=enrolment_id):
            known = readiness is not None and enrolment_id in readiness.enrolments
            return [] if known else [EnrolmentOpened(**dict(command))]
        case Certify(course_id=course_id):
            known = readiness is not None and course_id in readiness.certified
            places = readiness.places if readiness else ()
            return [] if known else [CourseCertified(**dict(command), place_ids=places)]
    if readiness is None:
        return []
    if isinstance(command, PlaceCommand):
        return _place(readiness, command, now)
    return _less(readiness, command)


def _less(readiness: Readiness, command: ReadinessCommand) -> list[Event]:
    match command:
        case CloseEnrolment(enrolment_id=old) if old in readiness.enrolments:
            closed = EnrolmentClosed(enrolment_id=old)
            if readiness.enrolments != (old,) or not readiness.places:
                return [closed]
            return [closed, PlacesForsaken(place_ids=readiness.places)]
        case Uncertify(course_id=old) if old in readiness.certified:
            return [CourseUncertified(**dict(command), place_ids=readiness.places)]
    return []


def _place(readiness: Readiness, command: PlaceCommand, now: Context) -> list[Event]:
    match command:
        case KeepPlace(place_id=new) if new not in readiness.places:
            return _keep(readiness, new, now)
        case ReleasePlace(place_id=old) if old in readiness.places:
            return [PlaceReleased(place_id=old)]
        case BookDay(booked=new) if new not in readiness.booked:
            if any(one.day == new.day for one in readiness.booked):
                raise Refused("place-same-day")
            return [DayBooked(booked=new)]
    return []


def _keep(readiness: Readiness, new: Id, now: Context) -> list[Event]:
    # Where she has been is not given back any more: it does not count, and need not be kept.
    been = [one.place_id for one in readiness.booked if now.at >= start_of(one.day)]
    if len(readiness.places) - len(been) >= MAX_PLACES:
        raise Refused("places-too-many")
    return [*(PlaceReleased(place_id=one) for one in been), PlaceKept(place_id=new)]


def evolve(readiness: Readiness | None, event: Event) -> Readiness | None:
    match event:
        case EnrolmentOpened() | CourseCertified():
            readiness = readiness or Readiness(id=event.person_id)
    return None if readiness is None else readiness.model_copy(update=_changes(readiness, event))


def _changes(readiness: Readiness, event: Event) -> dict[str, object]:
    match event:
        case EnrolmentOpened(enrolment_id=new):
            return {"enrolments": (*readiness.enrolments, new)}
        case EnrolmentClosed(enrolment_id=old):
            return {"enrolments": _without(readiness.enrolments, old)}
        case CourseCertified(course_id=new):
            lost = tuple(one for one in readiness.lost if one.course_id != new)
            return {"certified": (*readiness.certified, new), "lost": lost}
        case CourseUncertified(course_id=old, reason_code=reason):
            lost = (*readiness.lost, Lost(course_id=old, reason_code=reason))
            return {"certified": _without(readiness.certified, old), "lost": lost}
        case PlaceKept(place_id=new):
            return {"places": (*readiness.places, new)}
        case PlaceReleased(place_id=old):
            booked = tuple(one for one in readiness.booked if one.place_id != old)
            return {"places": _without(readiness.places, old), "booked": booked}
        case DayBooked(booked=new):
            return {"booked": (*readiness.booked, new)}
        case PlacesForsaken():
            return {"places": (), "booked": ()}
    return {}


def _without(ids: tuple[Id, ...], gone: Id) -> tuple[Id, ...]:
    return tuple(one for one in ids if one != gone)


READINESS = Aggregate("readiness", Readiness, decide, evolve)
