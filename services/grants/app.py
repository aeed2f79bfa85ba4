"""The grants service: what it is made of."""

from services.grants.checks import check_pools
from services.grants.domain.applications import APPLICATIONS
from services.grants.domain.awards import AWARDS
from services.grants.domain.dossiers import DOSSIERS
from services.grants.domain.payments import PAYMENTS
from services.grants.domain.pools import POOLS
from services.grants.domain.rounds import ROUNDS
from services.grants.handlers import handlers
from services.grants.routes import applications, awards, payments, pools, rounds
from services.grants.settings import Settings
from services.grants.store import INDEXES
from shared.chassis.service import Service

SERVICE = Service(
    name="grants",
    settings=Settings,
    routers=[
        pools.router,
        rounds.router,
        applications.router,
        awards.router,
        payments.router,
    ],
    handlers=handlers,
    aggregates=[POOLS, ROUNDS, APPLICATIONS, AWARDS, PAYMENTS, DOSSIERS],
    indexes=INDEXES,
    check=check_pools,
)
