"""Applications: handed in and withdrawn by her; awards proposed by a reviewer."""

from services.grants.domain.applications import (
    APPLICATIONS,
    Application,
    ApplicationStatus,
    Nominate,
    Submit,
    Withdraw,
)
from services.grants.routes.policies import HERS, STAFF
from services.grants.store import filled
from shared.chassis.http import Intent, Page, Paging, Query, Reply, Router
from shared.chassis.policy import AnyOf, Owner, Role, Self
from shared.model import Do, Frozen
from shared.types import Id, Moment, PartId, PositiveCentavos

router = Router(tags=["applications"])


class Request(Frozen):
    """The round, and how much she asks for."""

    round_id: PartId
    amount: PositiveCentavos


class Proposal(Frozen):
    """How much she should get: at most what she asked for."""

    amount: PositiveCentavos


class ApplicationView(Frozen):
    """An application as she and staff see it; `award_id` once one was proposed."""

    id: Id
    person_id: Id
    round_id: Id
    amount: PositiveCentavos
    status: ApplicationStatus
    submitted_at: Moment | None
    award_id: Id | None

    @classmethod
    def of(cls, application: Application) -> "ApplicationView":
        """The award bears the id of its application."""
        proposed = application.status in ("proposed", "awarded", "closed")
        award_id = application.id if proposed else None
        return cls(award_id=award_id, **application.model_dump(exclude={"helped_by"}))


@router.post("/applications", policy=HERS, status=201)
async def submit_application(body: Request, intent: Intent) -> Reply[ApplicationView]:
    application_id = f"{intent.person_id}:{body.round_id}"
    submit = Submit(
        application_id=application_id,
        person_id=intent.person_id,
        round_id=body.round_id,
        amount=body.amount,
    )
    return await intent.run(Do(APPLICATIONS, application_id, submit), reply=ApplicationView.of)


@router.post("/applications/{application_id}/withdrawal", policy=Owner(APPLICATIONS, "person_id"))
async def withdraw_application(application_id: Id, intent: Intent) -> Reply[ApplicationView]:
    return await intent.run(Do(APPLICATIONS, application_id, Withdraw()), reply=ApplicationView.of)


@router.post("/applications/{application_id}/proposal", policy=Role("reviewer"))
async def propose_award(
    application_id: Id, body: Proposal, intent: Intent
) -> Reply[ApplicationView]:
    nominate = Nominate(amount=body.amount)
    return await intent.run(Do(APPLICATIONS, application_id, nominate), reply=ApplicationView.of)


@router.get("/applications/{application_id}", policy=AnyOf(Owner(APPLICATIONS, "person_id"), STAFF))
async def get_application(application_id: Id, query: Query) -> ApplicationView:
    found = await query.get(APPLICATIONS, application_id, unknown="application-unknown")
    return ApplicationView.of(found)


@router.get("/applications", policy=STAFF)
async def list_applications(
    query: Query,
    paging: Paging,
    round_id: Id | None = None,
    status: ApplicationStatus = "submitted",
) -> Page[ApplicationView]:
    where = filled(round_id=round_id, status=status)
    return await query.page(APPLICATIONS, where, paging, of=ApplicationView.of, sort="submitted_at")


@router.get("/persons/{person_id}/applications", policy=AnyOf(Self("person_id"), STAFF))
async def list_applications_of_person(
    person_id: Id, query: Query, paging: Paging
) -> Page[ApplicationView]:
    where = filled(person_id=person_id)
    return await query.page(APPLICATIONS, where, paging, of=ApplicationView.of)
