"""Her readiness to sell abroad, and the ids of her places: her dossier in trade."""

from shared.events.trade import Leaf, ReadinessAssessed, Requirement
from shared.model import Aggregate, Command, Context, Event, Frozen, Refused
from shared.types import Id


class Readiness(Frozen):
    id: Id
    enrolments: tuple[Id, ...] = ()
    certified: tuple[Id, ...] = ()
    places: tuple[Id, ...] = ()


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


class KeepPlace(Command):
    place_id: Id


class EnrolmentOpened(Event):
    """One more enrolment is live."""

    person_id: Id
    enrolment_id: Id


class EnrolmentClosed(Event):
    """One enrolment less is live."""

    enrolment_id: Id


class CourseCertified(Event):
    """She is certified in one more course."""

    person_id: Id
    course_id: Id


class CourseUncertified(Event):
    """She is no longer certified in a course."""

    course_id: Id


class PlaceKept(Event):
    """One more place, or wait for one, is hers."""

    place_id: Id


class PlacesForsaken(Event):
    """No enrolment is live any more: these places are to be given back."""

    place_ids: tuple[Id, ...]


ReadinessCommand = OpenEnrolment | CloseEnrolment | Certify | Uncertify | KeepPlace


def meets(readiness: Readiness | None, requirement: str) -> bool:
    """Whether one requirement of a fair is true for her."""
    if readiness is None:
        return False
    if requirement == "enrolled":
        return bool(readiness.enrolments)
    return requirement.removeprefix("course:") in readiness.certified


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
    said = _change(readiness, command)
    after = readiness
    for event in said:
        after = evolve(after, event)
    if after is not None and _leaves(after) != (_leaves(readiness) if readiness else ()):
        said.append(_assessed(after))
    return said


def _change(readiness: Readiness | None, command: ReadinessCommand) -> list[Event]:
    match command:
        case OpenEnrolment(enrolment_id=enrolment_id):
            known = readiness is not None and enrolment_id in readiness.enrolments
            return [] if known else [EnrolmentOpened(**dict(command))]
        case Certify(course_id=course_id):
            known = readiness is not None and course_id in readiness.certified
            return [] if known else [CourseCertified(**dict(command))]
    return [] if readiness is None else _less(readiness, command)


def _less(readiness: Readiness, command: ReadinessCommand) -> list[Event]:
    match command:
        case CloseEnrolment(enrolment_id=old) if old in readiness.enrolments:
            closed = EnrolmentClosed(enrolment_id=old)
            if readiness.enrolments != (old,) or not readiness.places:
                return [closed]
            return [closed, PlacesForsaken(place_ids=readiness.places)]
        case Uncertify(course_id=old) if old in readiness.certified:
            return [CourseUncertified(course_id=old)]
        case KeepPlace(place_id=new) if new not in readiness.places:
            return [PlaceKept(place_id=new)]
    return []


def _leaves(readiness: Readiness) -> tuple[Leaf, ...]:
    enrolled = "met" if readiness.enrolments else "unmet"
    courses = (Leaf(code=f"course:{one}", result="met") for one in readiness.certified)
    return (Leaf(code="enrolled", result=enrolled), *courses)


def _assessed(readiness: Readiness) -> ReadinessAssessed:
    return ReadinessAssessed(
        person_id=readiness.id,
        met=bool(readiness.enrolments and readiness.certified),
        leaves=_leaves(readiness),
    )


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
            return {"enrolments": tuple(one for one in readiness.enrolments if one != old)}
        case CourseCertified(course_id=new):
            return {"certified": (*readiness.certified, new)}
        case CourseUncertified(course_id=old):
            return {"certified": tuple(one for one in readiness.certified if one != old)}
        case PlaceKept(place_id=new):
            return {"places": (*readiness.places, new)}
        case PlacesForsaken():
            return {"places": ()}
    return {}


READINESS = Aggregate("readiness", Readiness, decide, evolve)
