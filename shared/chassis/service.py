"""A service: routes, handlers, aggregates and settings, as one FastAPI application."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import prometheus_client
import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from shared.chassis import edge, interpreter, logging
from shared.chassis.auth import Verifier
from shared.chassis.http import Router
from shared.chassis.operations import Check, operations
from shared.chassis.ports import Bus, Index, Store
from shared.chassis.runtime import Runtime
from shared.chassis.settings import ServiceSettings
from shared.model import Aggregate, Handlers

__all__ = ["Index", "Service"]

VERSION = "0.1.0"

Configure = Callable[[FastAPI, Any], None]
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
Connect = Callable[[int], tuple[Store, Bus]]
"""The database and the bus of one generation of a service."""

Make = Callable[[int], Runtime]
"""A runtime on the database and in the consumer group of one generation; 0 is the first."""


class Host(Protocol):
    """Runs what a process of a service runs: a runtime, or one after another."""

    async def start(self) -> None:
        """Serve at once; become ready when what is needed answers."""
        ...

    async def stop(self) -> None:
        """End in good order, within 10 seconds."""
        ...


@dataclass(frozen=True)
class Service:
    """What a service is made of. Nothing connects before `app` is started."""

    name: str
    settings: type[ServiceSettings]
    routers: Sequence[Router]
    handlers: Handlers
    aggregates: Sequence[Aggregate[Any]]
    indexes: Sequence[Index] = field(default_factory=list)
    check: Check | None = None
    configure: Configure | None = None
    lifespan: Lifespan | None = None
    host: Callable[[FastAPI, Make], Host] | None = None
    """What runs its runtimes, where there may be more than one after another."""

    def run(self) -> None:
        """Serve until SIGTERM; returns within 10 seconds of it."""
        interpreter.share_one_heap()
        settings = self.settings()
        logging.configure(self.name, settings.log_format)
        app = self.app(settings)
        interpreter.spare_the_collector()
        interpreter.hand_over_soon()
        uvicorn.run(
            app,
            host=settings.host,
            port=settings.port,
            loop="uvloop",
            http="httptools",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # nobody looks at who called by address
            timeout_graceful_shutdown=2,
            timeout_keep_alive=65,
        )

    def app(
        self,
        settings: ServiceSettings,
        store: Store | None = None,
        bus: Bus | None = None,
        connect: Connect | None = None,
    ) -> FastAPI:
        """The application; a store and a bus of a test's own may be handed in."""
        verifier = Verifier(settings.jwks)
        places = connect or self._connect(settings, store, bus)

        def make(generation: int) -> Runtime:
            its_store, its_bus = places(generation)
            return Runtime(
                self.name,
                store=its_store,
                bus=its_bus,
                verifier=verifier,
                handlers=self.handlers,
                aggregates=self.aggregates,
                indexes=self.indexes,
                partitions=settings.partitions,
                group=_named(self.name, "-", generation),
            )

        app = self._routes(self._lifespan(make))
        app.state.runtime, app.state.verifier = make(0), verifier
        if self.configure is not None:
            self.configure(app, settings)
        return app

    def _connect(self, settings: ServiceSettings, store: Store | None, bus: Bus | None) -> Connect:
        def places(generation: int) -> tuple[Store, Bus]:
            database = _named(settings.database or f"telar_{self.name}", "_", generation)
            return store or _mongo(settings, database), bus or _kafka(settings)

        return places

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made without a server."""
        return self._routes(None).openapi()

    def _lifespan(self, make: Make) -> Lifespan:
        @asynccontextmanager
        async def lifespan(app: FastAPI) -> AsyncIterator[None]:
            host: Host = self.host(app, make) if self.host else app.state.runtime
            await host.start()
            try:
                if self.lifespan is None:
                    yield
                else:
                    async with self.lifespan(app):
                        yield
            finally:
                await host.stop()

        return lifespan

    def _routes(self, lifespan: Lifespan | None) -> FastAPI:
        app = FastAPI(
            title=f"Telar {self.name}",
            version=VERSION,
            lifespan=lifespan,
            docs_url=None,
            redoc_url=None,
            telemetry={"tracing": False, "metrics": False, "logs": False},  # ours is in the edge
        )
        edge.install(app)
        _health(app)
        for router in [*self.routers, operations(self.name, self.check)]:
            _every_route_has_a_policy(router)
            app.include_router(router)
        return app


def _every_route_has_a_policy(router: Router) -> None:
    for route in router.routes:
        if isinstance(route, APIRoute):
            for method in route.methods or ():
                if (method, route.path) not in router.policies:
                    raise TypeError(f"{method} {route.path} names no policy")


def _health(app: FastAPI) -> None:
    @app.get("/livez", include_in_schema=False)
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> JSONResponse:
        faults = await app.state.runtime.faults()
        return JSONResponse({"ready": not faults, "faults": faults}, 503 if faults else 200)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        latest = prometheus_client.generate_latest()
        return Response(latest, media_type=prometheus_client.CONTENT_TYPE_LATEST)

    @app.get("/version", include_in_schema=False)
    async def version() -> dict[str, str]:
        return {"name": app.title, "version": VERSION}


def _named(name: str, between: str, generation: int) -> str:
    return f"{name}{between}{generation}" if generation else name


def _mongo(settings: ServiceSettings, database: str) -> Store:
    from shared.chassis.mongo import MongoStore  # noqa: PLC0415  not needed for OpenAPI or tests

    return MongoStore(settings.mongo, database)


def _kafka(settings: ServiceSettings) -> Bus:
    from shared.chassis.kafka import KafkaBus  # noqa: PLC0415  not needed for OpenAPI or tests

    return KafkaBus(settings.kafka, settings.replication)
