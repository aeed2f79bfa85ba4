"""Persons and their businesses: told by her, or by a promoter on her behalf."""

from services.enrollment.domain.businesses import BUSINESSES, Business, Profile
from services.enrollment.domain.businesses import Register as RegisterBusiness
from services.enrollment.domain.persons import (
    PERSONS,
    Facets,
    Person,
    Register,
    is_nobody,
    is_registered,
)
from services.enrollment.routes.policies import HERS, INTAKE, STAFF
from shared.chassis.http import Intent, Page, Paging, Query, Reply, Router
from shared.chassis.policy import AnyOf, Owner, Self
from shared.model import Do, Refused, Require
from shared.reference import municipalities
from shared.types import Id

router = Router(tags=["persons"])


class PersonView(Person):
    """A person as she and intake see her."""

    @classmethod
    def of(cls, person: Person) -> "PersonView":
        """Everything: no other role reads it."""
        return cls(**dict(person))


class BusinessView(Business):
    """A business as its owner and intake see it."""

    @classmethod
    def of(cls, business: Business) -> "BusinessView":
        """Everything: no other role reads it."""
        return cls(**dict(business))


@router.post("/persons", policy=HERS, status=201)
async def register_person(body: Facets, intent: Intent) -> Reply[PersonView]:
    if body.municipality not in municipalities().names:
        raise Refused("municipality-unknown")
    person_id = _whose(intent)
    is_new = person_id != intent.person_id
    register = Register(person_id=person_id, facets=body)
    return await intent.run(
        *([Require(PERSONS, person_id, is_nobody)] if is_new else []),
        Do(PERSONS, person_id, register),
        reply=PersonView.of,
    )


def _whose(intent: Intent) -> Id:
    # A promoter who does not act for somebody yet brings in a woman whom nobody knows.
    caller = intent.caller
    is_known = "applicant" in caller.roles or caller.on_behalf_of is not None
    return intent.person_id if is_known else intent.new_id("person")


@router.get("/persons/{person_id}", policy=AnyOf(Self("person_id"), INTAKE))
async def get_person(person_id: Id, query: Query) -> PersonView:
    return PersonView.of(await query.get(PERSONS, person_id, unknown="person-unknown"))


@router.post("/businesses", policy=HERS, status=201)
async def register_business(body: Profile, intent: Intent) -> Reply[BusinessView]:
    business_id, person_id = intent.new_id("business"), intent.person_id
    register = RegisterBusiness(business_id=business_id, person_id=person_id, profile=body)
    return await intent.run(
        Require(PERSONS, person_id, is_registered),
        Do(BUSINESSES, business_id, register),
        reply=BusinessView.of,
    )


@router.get("/businesses/{business_id}", policy=AnyOf(Owner(BUSINESSES, "person_id"), STAFF))
async def get_business(business_id: Id, query: Query) -> BusinessView:
    return BusinessView.of(await query.get(BUSINESSES, business_id, unknown="business-unknown"))


@router.get("/persons/{person_id}/businesses", policy=AnyOf(Self("person_id"), STAFF))
async def list_businesses_of_person(
    person_id: Id, query: Query, paging: Paging
) -> Page[BusinessView]:
    where = {"person_id": person_id}
    return await query.page(BUSINESSES, where, paging, of=BusinessView.of)
