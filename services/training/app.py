"""The training service: what it is made of."""

from services.training.domain.certificates import CERTIFICATES
from services.training.domain.cohorts import COHORTS
from services.training.domain.courses import COURSES
from services.training.domain.dossiers import DOSSIERS
from services.training.domain.seats import SEATS
from services.training.handlers import handlers
from services.training.routes import certificates, cohorts, courses, seats
from services.training.settings import Settings
from services.training.store import INDEXES
from shared.chassis.service import Service

SERVICE = Service(
    name="training",
    settings=Settings,
    routers=[courses.router, cohorts.router, seats.router, certificates.router],
    handlers=handlers,
    aggregates=[COURSES, COHORTS, SEATS, CERTIFICATES, DOSSIERS],
    indexes=INDEXES,
)
