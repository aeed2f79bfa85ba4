"""A person: a woman as the programme knows her here, by coded facets. No name, no CURP."""

from services.enrollment.domain.facts import Facts, Inquiry, RuralClass
from shared.events.enrollment import PersonRegistered
from shared.model import Aggregate, Command, Context, Event, Frozen, Refused, Unknown
from shared.types import Flag, Id, MunicipalityKey, StateKey


class Facets(Frozen):
    """What she tells of herself. That she is a woman is hers to declare, or to leave open."""

    state: StateKey
    municipality: MunicipalityKey
    rural_class: RuralClass
    self_declared_woman: Flag | None = None


class Person(Facets):
    """A registered person."""

    id: Id


class Register(Command):
    person_id: Id
    facets: Facets


class Consult(Command):
    """An enrolment of hers asks for her facts."""

    inquiry: Inquiry


class PersonWritten(Event):
    """All that she told; what she declares of herself is not published."""

    person: Person


class PersonConsulted(Event):
    """She is known: her facts joined an inquiry."""

    inquiry: Inquiry


def is_registered(person: Person | None, _now: Context) -> None:
    """A guard: who enrols or brings a business is registered first."""
    if person is None:
        raise Unknown("person-unknown")


def is_nobody(person: Person | None, _now: Context) -> None:
    """A guard: an id that was made for a new woman is not that of one who came in before her."""
    if person is not None:
        raise Refused("key-used-before")


def decide(person: Person | None, command: Register | Consult, now: Context) -> list[Event]:
    match person, command:
        case None, Register():
            return _register(command.person_id, command.facets)
        case None, _:
            raise Unknown("person-unknown")
        case Person(), Register():
            if person != Person(id=person.id, **dict(command.facets)):
                raise Refused("person-exists")
            return []
        case Person(), Consult():
            told = Facts(state=person.state, self_declared_woman=person.self_declared_woman)
            return [PersonConsulted(inquiry=command.inquiry.plus(told))]
    return []


def _register(person_id: Id, facets: Facets) -> list[Event]:
    if not facets.municipality.startswith(facets.state):
        raise Refused("municipality-not-in-state")
    public = PersonRegistered(
        person_id=person_id,
        state=facets.state,
        municipality=facets.municipality,
        rural_class=facets.rural_class,
    )
    return [PersonWritten(person=Person(id=person_id, **dict(facets))), public]


def evolve(person: Person | None, event: Event) -> Person | None:
    return event.person if isinstance(event, PersonWritten) else person


PERSONS = Aggregate("persons", Person, decide, evolve)
