"""Fairs over HTTP: publish, cancel, look, and who has a place."""

from typing import Literal

from services.trade.domain.fairs import FAIRS, Cancel, Fair, Kind, Plan, Publish
from services.trade.domain.places import PLACES, PlaceStatus
from services.trade.routes.views import PlaceView
from shared.chassis.http import Intent, Page, Paging, Query, Reply, Router
from shared.chassis.policy import Role
from shared.events.trade import Country, Requirement
from shared.model import Do, Frozen
from shared.types import Count, Id, StoredDay

router = Router(tags=["fairs"])
ANYBODY = Role("applicant", "promoter", "intake", "trainer", "trade", "operator", "auditor")
DESK = Role("trade", "operator", "auditor")


class FairView(Frozen):
    """A fair as everybody may see it: numbers, no names."""

    id: Id
    kind: Kind
    country: Country
    starts_on: StoredDay
    places: Count
    taken: Count
    offered: Count
    confirmed: Count
    waiting: Count
    requirements: tuple[Requirement, ...]
    status: Literal["published", "cancelled"]

    @classmethod
    def of(cls, fair: Fair) -> "FairView":
        """Show a fair."""
        return cls(
            id=fair.id,
            kind=fair.kind,
            country=fair.country,
            starts_on=fair.starts_on,
            places=fair.places,
            taken=len(fair.taken),
            offered=len(fair.taken) - len(fair.confirmed),
            confirmed=len(fair.confirmed),
            waiting=len(fair.waiting),
            requirements=fair.requirements,
            status=fair.status,
        )


@router.post("/fairs", policy=Role("trade"), status=201)
async def publish_fair(body: Plan, intent: Intent) -> Reply[FairView]:
    fair_id = intent.new_id("fair")
    publish = Publish(fair_id=fair_id, plan=body)
    return await intent.run(Do(FAIRS, fair_id, publish), reply=FairView.of)


@router.post("/fairs/{fair_id}/cancellation", policy=Role("trade"))
async def cancel_fair(fair_id: Id, intent: Intent) -> Reply[FairView]:
    return await intent.run(Do(FAIRS, fair_id, Cancel()), reply=FairView.of)


@router.get("/fairs", policy=ANYBODY)
async def list_fairs(
    query: Query, paging: Paging, status: Literal["published", "cancelled"] = "published"
) -> Page[FairView]:
    return await query.page(FAIRS, {"status": status}, paging, of=FairView.of)


@router.get("/fairs/{fair_id}", policy=ANYBODY)
async def get_fair(fair_id: Id, query: Query) -> FairView:
    return FairView.of(await query.get(FAIRS, fair_id, unknown="fair-unknown"))


@router.get("/fairs/{fair_id}/places", policy=DESK)
async def list_places_of_fair(
    fair_id: Id, query: Query, paging: Paging, status: PlaceStatus | None = None
) -> Page[PlaceView]:
    where = {"fair_id": fair_id} | ({"status": status} if status else {})
    return await query.page(PLACES, where, paging, of=PlaceView.of)
