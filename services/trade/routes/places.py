"""Places over HTTP: apply, confirm, give back, and her readiness."""

from services.trade.domain import places
from services.trade.domain.places import PLACES, WithdrawReason
from services.trade.domain.readiness import READINESS, Readiness, is_enrolled
from services.trade.routes.views import PlaceView
from shared.chassis.http import Intent, Page, Paging, Query, Reply, Router
from shared.chassis.policy import AnyOf, Owner, Role, Self
from shared.events.trade import Leaf
from shared.model import Do, Frozen, Require
from shared.types import Flag, Id, PartId

router = Router(tags=["places"])
HERS = Owner(PLACES, "person_id")
DESK = Role("trade", "operator", "auditor")


class Application(Frozen):
    """Which fair she wants to join."""

    fair_id: PartId


class Leaving(Frozen):
    """Why she gives the place back."""

    reason_code: WithdrawReason


class ReadinessView(Frozen):
    """What is known of her readiness; each leaf is met, or unmet with the reason if it was lost."""

    person_id: Id
    met: Flag
    enrolled: Flag
    certified: tuple[Id, ...]
    leaves: tuple[Leaf, ...]

    @classmethod
    def of(cls, readiness: Readiness) -> "ReadinessView":
        """Show her readiness."""
        return cls(
            person_id=readiness.id,
            met=readiness.met,
            enrolled=bool(readiness.enrolments),
            certified=readiness.certified,
            leaves=readiness.leaves,
        )


@router.post("/places", policy=Role("applicant", "promoter"), status=201)
async def apply_for_place(body: Application, intent: Intent) -> Reply[PlaceView]:
    place_id = f"{intent.person_id}:{body.fair_id}"
    asked = places.Apply(place_id=place_id, person_id=intent.person_id, fair_id=body.fair_id)
    return await intent.run(
        Require(READINESS, intent.person_id, is_enrolled),
        Do(PLACES, place_id, asked),
        reply=PlaceView.of,
    )


@router.post("/places/{place_id}/confirmation", policy=HERS)
async def confirm_place(place_id: Id, intent: Intent) -> Reply[PlaceView]:
    return await intent.run(Do(PLACES, place_id, places.Confirm()), reply=PlaceView.of)


@router.post("/places/{place_id}/withdrawal", policy=HERS)
async def withdraw_from_place(place_id: Id, body: Leaving, intent: Intent) -> Reply[PlaceView]:
    left = places.Withdraw(reason_code=body.reason_code)
    return await intent.run(Do(PLACES, place_id, left), reply=PlaceView.of)


@router.get("/places/{place_id}", policy=AnyOf(HERS, DESK))
async def get_place(place_id: Id, query: Query) -> PlaceView:
    return PlaceView.of(await query.get(PLACES, place_id, unknown="place-unknown"))


@router.get("/persons/{person_id}/places", policy=AnyOf(Self("person_id"), DESK))
async def list_places_of_person(person_id: Id, query: Query, paging: Paging) -> Page[PlaceView]:
    return await query.page(PLACES, {"person_id": person_id}, paging, of=PlaceView.of)


@router.get("/persons/{person_id}/readiness", policy=AnyOf(Self("person_id"), DESK))
async def get_readiness(person_id: Id, query: Query) -> ReadinessView:
    return ReadinessView.of(await query.get(READINESS, person_id, unknown="readiness-unknown"))
