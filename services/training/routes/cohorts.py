"""Cohorts: opened by the training desk, read by everyone; their seats by the desk."""

from services.training.domain.cohorts import COHORTS, Cohort, Plan, PlanCohort
from services.training.domain.seats import SEATS, SeatStatus
from services.training.routes.policies import DESK, EVERYONE, STAFF
from services.training.routes.seats import SeatView
from services.training.store import filled
from shared.chassis.http import Intent, Page, Paging, Query, Reply, Router
from shared.model import Do
from shared.types import Count, Id, Language, StateKey

router = Router(tags=["cohorts"])


class CohortView(Plan):
    """A cohort as anyone sees it: how many, never who."""

    id: Id
    free: Count
    waiting: Count

    @classmethod
    def of(cls, cohort: Cohort) -> "CohortView":
        """The plan, the places still free, and the length of the line."""
        plan = {name: getattr(cohort, name) for name in Plan.model_fields}
        return cls(id=cohort.id, free=cohort.free, waiting=len(cohort.waiting), **plan)


@router.post("/cohorts", policy=DESK, status=201)
async def open_cohort(body: Plan, intent: Intent) -> Reply[CohortView]:
    cohort_id = intent.new_id("cohort")
    plan = PlanCohort(cohort_id=cohort_id, plan=body)
    return await intent.run(Do(COHORTS, cohort_id, plan), reply=CohortView.of)


@router.get("/cohorts/{cohort_id}", policy=EVERYONE)
async def get_cohort(cohort_id: Id, query: Query) -> CohortView:
    return CohortView.of(await query.get(COHORTS, cohort_id, unknown="cohort-unknown"))


@router.get("/cohorts", policy=EVERYONE)
async def list_cohorts(
    query: Query,
    paging: Paging,
    course_id: Id | None = None,
    language: Language | None = None,
    state: StateKey | None = None,
) -> Page[CohortView]:
    where = filled(course_id=course_id, language=language, state=state)
    return await query.page(COHORTS, where, paging, of=CohortView.of)


@router.get("/cohorts/{cohort_id}/seats", policy=STAFF)
async def list_seats_of_cohort(
    cohort_id: Id, query: Query, paging: Paging, status: SeatStatus | None = None
) -> Page[SeatView]:
    where = filled(cohort_id=cohort_id, status=status)
    return await query.page(SEATS, where, paging, of=SeatView.of)
