"""The gateway's own queries: views built from the facts of every service."""

from datetime import datetime

from fastapi import Request
from pydantic import JsonValue

from services.gateway.domain.cells import shown
from services.gateway.domain.history import HISTORY
from services.gateway.domain.people import PEOPLE, UNKNOWN, Counts, add
from services.gateway.domain.timeline import TIMELINE, Happening
from services.gateway.store import counters
from shared.chassis.http import Page, Paging, Query, Router
from shared.chassis.policy import AnyOf, Role, Self
from shared.model import Frozen
from shared.types import Id

router = Router(tags=["views"])
STAFF = Role("operator", "auditor", "intake", "approver", "treasurer", "trainer", "trade")
OF_GRANTS = Role("operator", "auditor", "approver", "treasurer")
"""Who of them reads awards in grants; the chapters of a pool say whose money was moved."""


class FactView(Frozen):
    """One fact, of a woman or of a thing."""

    fact: str
    service: str
    at: datetime
    sequence: int
    details: dict[str, JsonValue]

    @classmethod
    def of(cls, happening: Happening) -> "FactView":
        """Without what the caller has named."""
        return cls(**{name: getattr(happening, name) for name in cls.model_fields})


class TimelineView(Page[FactView]):
    """Her facts by time; `as_of` is the time of the newest one applied here."""

    as_of: datetime | None


class StateCounts(Frozen):
    """How often each thing happened to the women of one state; amounts are in centavos.

    Null is not shown: it is of fewer than 5 women, or would tell what another such number is.
    """

    registered: int | None = 0
    submitted: int | None = 0
    enrolled: int | None = 0
    declined: int | None = 0
    withdrawn: int | None = 0
    seats_confirmed: int | None = 0
    courses_completed: int | None = 0
    certificates_issued: int | None = 0
    certificates_revoked: int | None = 0
    applications: int | None = 0
    awards_accepted: int | None = 0
    accepted_amount: int | None = 0
    payments_confirmed: int | None = 0
    paid_amount: int | None = 0
    places_confirmed: int | None = 0


class StatesView(Frozen):
    """The programme by state; `unknown` is who is not registered here yet."""

    as_of: datetime | None
    states: dict[str, StateCounts]
    unknown: StateCounts
    total: StateCounts


@router.get(
    "/persons/{person_id}/timeline",
    policy=AnyOf(Self("person_id"), Role("operator", "auditor", "intake")),
)
async def get_timeline(person_id: Id, query: Query, paging: Paging) -> TimelineView:
    person = await query.find(PEOPLE, person_id)  # first: the page then holds at least as much
    where = {"person_id": person_id}
    page = await query.page(TIMELINE, where, paging, of=FactView.of, sort="at")
    return TimelineView(items=page.items, next=page.next, as_of=person and person.as_of)


@router.get("/things/{thing_id}/history", policy=STAFF)
async def get_history(
    thing_id: Id, request: Request, query: Query, paging: Paging
) -> Page[FactView]:
    where = {"thing_id": thing_id}
    page = await query.page(HISTORY, where, paging, of=FactView.of, sort="at")
    if any(chapter.service == "grants" for chapter in page.items):
        OF_GRANTS.check(request.state.caller, request.path_params)
    return page


@router.get("/indicators/states", policy=STAFF)
async def get_states(query: Query) -> StatesView:
    by_state: dict[str, Counts] = {UNKNOWN: {}}
    as_of: datetime | None = None
    async for part in counters(query.store):
        by_state[part.state] = add(by_state.get(part.state, {}), part.counts)
        as_of = max(as_of, part.as_of) if as_of else part.as_of
    cells, total = shown(by_state, StateCounts.model_fields)
    states = {state: StateCounts(**of) for state, of in sorted(cells.items())}
    unknown = states.pop(UNKNOWN)
    return StatesView(as_of=as_of, states=states, unknown=unknown, total=StateCounts(**total))
