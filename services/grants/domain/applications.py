"""An application: one woman asks for seed capital in one round.

The award that may follow bears the id of its application: there is never a second one.
"""

from typing import Literal

from services.grants.domain.rounds import Nomination
from services.grants.domain.separation import bar
from shared.events.grants import ApplicationSubmitted, ApplicationWithdrawn
from shared.model import Aggregate, Command, Context, Event, Frozen, Refused, Unknown
from shared.types import Id, Moment, PositiveCentavos

ApplicationStatus = Literal["submitted", "proposed", "awarded", "closed", "withdrawn"]

AwardStep = Literal["submitted", "proposed", "awarded", "closed"]
"""`submitted`: proposed by mistake, it waits again."""


class Application(Frozen):
    """What she asked for, and how far it came. `closed`: its award came to nothing, for good.

    `helped_by`: who handed it in for her.
    """

    id: Id
    person_id: Id
    round_id: Id
    amount: PositiveCentavos
    status: ApplicationStatus = "submitted"
    submitted_at: Moment | None = None
    helped_by: Id | None = None


class Submit(Command):
    application_id: Id
    person_id: Id
    round_id: Id
    amount: PositiveCentavos


class Withdraw(Command):
    """She takes it back."""


class Void(Command):
    """She left the programme: what is not awarded yet counts no more."""


class Nominate(Command):
    """Somebody wants to give her this amount."""

    amount: PositiveCentavos


class Follow(Command):
    """Her award was proposed, was accepted, ended, or should never have been proposed."""

    status: AwardStep


class Arrived(Event):
    """When it was handed in, the order in which it is looked at; and by whom, if not by her."""

    at: Moment
    helped_by: Id | None = None


class Nominated(Event):
    """An award is to be proposed for it."""

    nomination: Nomination


class Followed(Event):
    """It stands where its award stands."""

    status: AwardStep


ApplicationCommand = Submit | Withdraw | Void | Nominate | Follow


def decide(
    application: Application | None, command: ApplicationCommand, now: Context
) -> list[Event]:
    match application, command:
        case None | Application(status="withdrawn"), Submit():
            arrived = Arrived(at=now.at, helped_by=now.helper)
            return [ApplicationSubmitted(**dict(command)), arrived]
        case None, Follow() | Void():
            return []
        case None, _:
            raise Unknown("application-unknown")
        case Application(), Submit():
            return _again(application, command)
        case Application(), Nominate():
            return _nominate(application, command, now)
        case Application(status="submitted" | "proposed"), Withdraw() | Void():
            return [_withdrawn(application)]
        case Application(status="awarded"), Withdraw():
            raise Refused("application-awarded")
        case Application(status="submitted" | "proposed"), Follow(status=status):
            return [Followed(status=status)] if status != application.status else []
    return []


def _again(application: Application, command: Submit) -> list[Event]:
    if application.status == "closed":
        raise Refused("application-closed")
    if application.amount != command.amount:
        raise Refused("application-exists")
    return []


def _nominate(application: Application, command: Nominate, now: Context) -> list[Event]:
    bar(application.person_id, application.helped_by, now)
    if application.status != "submitted":
        raise Refused("application-not-open")
    if command.amount > application.amount:
        raise Refused("amount-above-request")
    nomination = Nomination(
        application_id=application.id,
        person_id=application.person_id,
        round_id=application.round_id,
        amount=command.amount,
        proposed_by=now.actor,
        helped_by=application.helped_by,
    )
    return [Nominated(nomination=nomination)]


def _withdrawn(application: Application) -> ApplicationWithdrawn:
    return ApplicationWithdrawn(
        person_id=application.person_id,
        application_id=application.id,
        round_id=application.round_id,
        amount=application.amount,
    )


def evolve(application: Application | None, event: Event) -> Application | None:
    match application, event:
        case _, ApplicationSubmitted():  # also again, after a withdrawal
            return Application(
                id=event.application_id,
                person_id=event.person_id,
                round_id=event.round_id,
                amount=event.amount,
            )
        case Application(), Arrived():
            came = {"submitted_at": event.at, "helped_by": event.helped_by}
            return application.model_copy(update=came)
        case Application(), Followed(status=status):
            return application.model_copy(update={"status": status})
        case Application(), ApplicationWithdrawn():
            return application.model_copy(update={"status": "withdrawn"})
    return application


APPLICATIONS = Aggregate("applications", Application, decide, evolve)
