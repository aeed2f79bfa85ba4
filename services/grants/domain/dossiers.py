"""A dossier: one woman's things in grants, so that reactions find them without searching.

Whichever fact comes first opens it: nothing orders the facts of enrollment and of training.
"""

from shared.model import Aggregate, Command, Context, Event, Frozen, Refused
from shared.types import Id

MAX_APPLICATIONS = 50
"""Live applications of one woman: what her withdrawal undoes in one intent."""


class Dossier(Frozen):
    """Her live enrolments, her certified courses, and her live applications and awards."""

    id: Id
    enrolments: tuple[Id, ...] = ()
    certified: tuple[Id, ...] = ()
    applications: tuple[Id, ...] = ()


class OfHer(Command):
    """Every command names her, so that it can open the dossier."""

    person_id: Id


class OpenEnrolment(OfHer):
    enrolment_id: Id


class CloseEnrolment(OfHer):
    """She withdrew one; with the last one what she has here is undone."""

    enrolment_id: Id


class Certify(OfHer):
    course_id: Id


class Uncertify(OfHer):
    course_id: Id


class HoldApplication(OfHer):
    application_id: Id


class ReleaseApplication(OfHer):
    application_id: Id


class TellCertified(OfHer):
    """An award was accepted and asks what it need not wait for."""

    award_id: Id


class Opened(Event):
    """Something of her is known here."""

    person_id: Id


class EnrolmentOpened(Event):
    """One more enrolment is live."""

    enrolment_id: Id


class EnrolmentClosed(Event):
    """One enrolment less is live."""

    enrolment_id: Id


class ProgrammeLeft(Event):
    """No enrolment is live any more: these applications and their awards are to be undone."""

    application_ids: tuple[Id, ...]


class ApplicationHeld(Event):
    """One more application is live."""

    application_id: Id


class ApplicationReleased(Event):
    """One application less is live."""

    application_id: Id


class CourseCertified(Event):
    """She holds one more certificate; these awards may wait for it."""

    course_id: Id
    award_ids: tuple[Id, ...]


class CourseUncertified(Event):
    """One of her certificates did not stand; these awards may have counted on it."""

    course_id: Id
    award_ids: tuple[Id, ...]


class CertifiedTold(Event):
    """What an award need not wait for."""

    award_id: Id
    course_ids: tuple[Id, ...]


def is_enrolled(dossier: Dossier | None, _now: Context) -> None:
    """A guard: only an enrolled woman applies."""
    if dossier is None or not dossier.enrolments:
        raise Refused("application-needs-enrolment")


def may_resume(dossier: Dossier | None, _now: Context) -> None:
    """A guard: what was held goes on only for an enrolled woman."""
    if dossier is None or not dossier.enrolments:
        raise Refused("tranche-needs-enrolment")


def decide(dossier: Dossier | None, command: OfHer, now: Context) -> list[Event]:
    if isinstance(command, HoldApplication):
        is_enrolled(dossier, now)
    if dossier is None:
        said = _say(Dossier(id=command.person_id), command)
        return [Opened(person_id=command.person_id), *said] if said else []
    return _say(dossier, command)


def _say(dossier: Dossier, command: OfHer) -> list[Event]:
    awards = dossier.applications  # an award bears the id of its application
    match command:
        case OpenEnrolment(enrolment_id=id_) if id_ not in dossier.enrolments:
            return [EnrolmentOpened(enrolment_id=id_)]
        case CloseEnrolment(enrolment_id=id_) if id_ in dossier.enrolments:
            return _close(dossier, id_)
        case Certify(course_id=id_) if id_ not in dossier.certified:
            return [CourseCertified(course_id=id_, award_ids=awards)]
        case Uncertify(course_id=id_) if id_ in dossier.certified:
            return [CourseUncertified(course_id=id_, award_ids=awards)]
        case HoldApplication(application_id=id_) if id_ not in dossier.applications:
            return _hold(dossier, id_)
        case ReleaseApplication(application_id=id_) if id_ in dossier.applications:
            return [ApplicationReleased(application_id=id_)]
        case TellCertified(award_id=id_) if dossier.certified:
            return [CertifiedTold(award_id=id_, course_ids=dossier.certified)]
    return []


def _close(dossier: Dossier, enrolment_id: Id) -> list[Event]:
    closed = EnrolmentClosed(enrolment_id=enrolment_id)
    if dossier.enrolments != (enrolment_id,):
        return [closed]
    return [closed, ProgrammeLeft(application_ids=dossier.applications)]


def _hold(dossier: Dossier, application_id: Id) -> list[Event]:
    if len(dossier.applications) >= MAX_APPLICATIONS:
        raise Refused("applications-too-many")
    return [ApplicationHeld(application_id=application_id)]


def evolve(dossier: Dossier | None, event: Event) -> Dossier | None:
    if isinstance(event, Opened):
        return Dossier(id=event.person_id)
    return None if dossier is None else dossier.model_copy(update=_changes(dossier, event))


def _changes(dossier: Dossier, event: Event) -> dict[str, object]:
    match event:
        case EnrolmentOpened(enrolment_id=id_):
            return {"enrolments": (*dossier.enrolments, id_)}
        case EnrolmentClosed(enrolment_id=id_):
            return {"enrolments": _without(dossier.enrolments, id_)}
        case CourseCertified(course_id=id_):
            return {"certified": (*dossier.certified, id_)}
        case CourseUncertified(course_id=id_):
            return {"certified": _without(dossier.certified, id_)}
        case ApplicationHeld(application_id=id_):
            return {"applications": (*dossier.applications, id_)}
        case ApplicationReleased(application_id=id_):
            return {"applications": _without(dossier.applications, id_)}
    return {}


def _without(ids: tuple[Id, ...], id_: Id) -> tuple[Id, ...]:
    return tuple(one for one in ids if one != id_)


DOSSIERS = Aggregate("dossiers", Dossier, decide, evolve)
