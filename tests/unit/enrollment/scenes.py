"""An open call, a woman and her business to begin a test with."""

from datetime import timedelta

from services.enrollment.domain import businesses, calls, persons
from services.enrollment.domain.businesses import BUSINESSES, Profile
from services.enrollment.domain.calls import CALLS, CallTerms
from services.enrollment.domain.enrolments import ENROLMENTS, Begin, Draft, Submit
from services.enrollment.domain.facts import Facts
from services.enrollment.domain.persons import PERSONS, Facets
from services.enrollment.handlers import handlers
from shared.model import Do
from tests.support.spec import NOON
from tests.support.world import World

CLOSES = NOON + timedelta(days=30)
TERMS = CallTerms(
    title="Convocatoria 2026", opens_at=NOON, closes_at=CLOSES, rules_version="2026-1"
)
FACETS = Facets(state="07", municipality="07101", rural_class="rural", self_declared_woman=True)
PROFILE = Profile(sector="311", size_class="micro", women_share=100, led_by_her=True)
ALL_MET = Facts(
    rules_version="2026-1",
    call_states=(),
    self_declared_woman=True,
    state="07",
    business_registered=True,
    women_share=100,
    led_by_her=True,
    size_class="micro",
)


def office(facets: Facets = FACETS, profile: Profile = PROFILE, terms: CallTerms = TERMS) -> World:
    """A world with an open call, and Ana with her business."""
    world = World(handlers)
    publish = calls.Publish(call_id="call-1", terms=terms)
    register = persons.Register(person_id="ana", facets=facets)
    brings = businesses.Register(business_id="shop", person_id="ana", profile=profile)
    world.run(Do(CALLS, "call-1", publish))
    world.run(Do(PERSONS, "ana", register), Do(BUSINESSES, "shop", brings))
    world.published.clear()
    return world


def begin(business_id: str | None = "shop") -> Do:
    """She drafts her enrolment."""
    draft = Draft(business_id=business_id)
    command = Begin(enrolment_id="ana:call-1", person_id="ana", call_id="call-1", draft=draft)
    return Do(ENROLMENTS, "ana:call-1", command)


SUBMIT = Do(ENROLMENTS, "ana:call-1", Submit())
