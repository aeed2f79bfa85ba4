"""The trade service: what it is made of."""

from services.trade.domain.fairs import FAIRS
from services.trade.domain.places import PLACES
from services.trade.domain.readiness import READINESS
from services.trade.handlers import handlers
from services.trade.routes import fairs, places
from services.trade.settings import Settings
from services.trade.store import INDEXES
from shared.chassis.service import Service

SERVICE = Service(
    name="trade",
    settings=Settings,
    routers=[fairs.router, places.router],
    handlers=handlers,
    aggregates=[FAIRS, PLACES, READINESS],
    indexes=INDEXES,
)
