"""The gateway: what it is made of."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from services.gateway import documents, rebuilding
from services.gateway.domain.counters import COUNTERS
from services.gateway.domain.history import HISTORY
from services.gateway.domain.people import PEOPLE
from services.gateway.domain.timeline import TIMELINE
from services.gateway.front import OWN, Front, Parts
from services.gateway.generations import Generations
from services.gateway.handlers import handlers
from services.gateway.limits import Limits
from services.gateway.pages import pages
from services.gateway.proxy import Proxy
from services.gateway.routes import router
from services.gateway.settings import Settings
from services.gateway.store import INDEXES
from services.gateway.table import Table
from services.gateway.upstreams import pools
from shared.chassis.service import Service
from shared.chassis.tokens import Issuer

_ASKED = (
    "Authorization",
    "Content-Type",
    "Correlation-Id",
    "Idempotency-Key",
    "If-Match",
    "Telar-Timeout-Ms",
)
_SHOWN = ("Correlation-Id", "ETag", "Retry-After", "Telar-After", "Telar-Position")


def configure(app: FastAPI, settings: Settings) -> None:
    """Put the front under the edge, made from the committed documents: making one takes long."""
    everything = documents.committed()
    found = {name: document for name, document in everything.items() if name != OWN}
    issuer = Issuer(settings.issuer) if settings.issuer else None
    app.state.has_views = True
    app.state.issuer, app.state.pools = issuer, pools(settings.upstreams, list(found))
    parts = Parts(
        table=Table(everything),
        pages=pages(documents.merge(everything), documents.codes(found), settings.jwks, issuer),
        proxy=Proxy(app.state.pools, int(settings.timeout_seconds * 1000)),
        limits=Limits(settings.rate, settings.burst),
        verifier=app.state.verifier,
    )
    app.user_middleware.append(Middleware(Front, parts=parts))  # last: under the edge
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT"],
            allow_headers=_ASKED,
            expose_headers=_SHOWN,
        )


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """The issuer's key before the first request; the connections closed after the last."""
    if app.state.issuer is not None:
        await asyncio.to_thread(app.state.issuer.ensure)
    try:
        yield
    finally:
        await asyncio.gather(*(pool.close() for pool in app.state.pools.values()))


SERVICE = Service(
    name=OWN,
    settings=Settings,
    routers=[router, rebuilding.router],
    handlers=handlers,
    aggregates=[TIMELINE, HISTORY, PEOPLE, COUNTERS],
    indexes=INDEXES,
    configure=configure,
    lifespan=lifespan,
    host=Generations,
)
