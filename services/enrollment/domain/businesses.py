"""A business: what a woman brings to the programme, by coded facets."""

from collections.abc import Callable
from typing import Annotated

from pydantic import Field, StringConstraints

from services.enrollment.domain.facts import Facts, Inquiry, SizeClass
from shared.events.enrollment import BusinessRegistered
from shared.model import Aggregate, Command, Context, Event, Frozen, Refused, Unknown
from shared.types import Flag, Id

Sector = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{1,5}$")]
"""A SCIAN key: two digits for the sector, up to six for the activity."""

Share = Annotated[int, Field(strict=True, ge=0, le=100)]


class Profile(Frozen):
    """What she tells of it: how much of it women own, and whether she decides and signs."""

    sector: Sector
    size_class: SizeClass
    women_share: Share | None = None
    led_by_her: Flag | None = None


class Business(Profile):
    """A registered business, of one woman."""

    id: Id
    person_id: Id


class Register(Command):
    business_id: Id
    person_id: Id
    profile: Profile


class Consult(Command):
    """An enrolment that names this business asks for its facts."""

    inquiry: Inquiry


class BusinessWritten(Event):
    """All that she told; who owns and leads it is not published."""

    business: Business


class BusinessConsulted(Event):
    """The business is known: its facts joined an inquiry."""

    inquiry: Inquiry


def is_hers(person_id: Id) -> Callable[[Business | None, Context], None]:
    """A guard: another woman's business is unknown to her."""

    def check(business: Business | None, _now: Context) -> None:
        if business is None or business.person_id != person_id:
            raise Unknown("business-unknown")

    return check


def decide(business: Business | None, command: Register | Consult, now: Context) -> list[Event]:
    match business, command:
        case None, Register():
            return _register(command)
        case None, _:
            raise Unknown("business-unknown")
        case Business(), Register():
            if business != _told(command):
                raise Refused("business-exists")
            return []
        case Business(), Consult():
            told = Facts(
                business_registered=True,
                women_share=business.women_share,
                led_by_her=business.led_by_her,
                size_class=business.size_class,
            )
            return [BusinessConsulted(inquiry=command.inquiry.plus(told))]
    return []


def _told(command: Register) -> Business:
    profile = dict(command.profile)
    return Business(id=command.business_id, person_id=command.person_id, **profile)


def _register(command: Register) -> list[Event]:
    profile = command.profile
    public = BusinessRegistered(
        person_id=command.person_id,
        business_id=command.business_id,
        sector=profile.sector,
        size_class=profile.size_class,
    )
    return [BusinessWritten(business=_told(command)), public]


def evolve(business: Business | None, event: Event) -> Business | None:
    return event.business if isinstance(event, BusinessWritten) else business


BUSINESSES = Aggregate("businesses", Business, decide, evolve)
