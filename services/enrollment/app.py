"""The enrollment service: what it is made of."""

from services.enrollment.domain.businesses import BUSINESSES
from services.enrollment.domain.calls import CALLS
from services.enrollment.domain.enrolments import ENROLMENTS
from services.enrollment.domain.persons import PERSONS
from services.enrollment.handlers import handlers
from services.enrollment.routes import calls, enrolments, persons
from services.enrollment.settings import Settings
from services.enrollment.store import INDEXES
from shared.chassis.service import Service

SERVICE = Service(
    name="enrollment",
    settings=Settings,
    routers=[calls.router, persons.router, enrolments.router],
    handlers=handlers,
    aggregates=[CALLS, PERSONS, BUSINESSES, ENROLMENTS],
    indexes=INDEXES,
)
