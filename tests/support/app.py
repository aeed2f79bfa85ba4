"""A service running in this process, on the stores and buses of a test, with a client for it."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from shared.chassis.auth import Role
from shared.chassis.ports import Bus, Store
from shared.chassis.runtime import Runtime
from shared.chassis.service import Connect, Service
from shared.chassis.tokens import Issuer
from tests.support.wait import until


@dataclass
class Running:
    """One process of a service, as its callers see it."""

    app: FastAPI
    http: httpx2.AsyncClient

    @property
    def runtime(self) -> Runtime:
        """Its inside."""
        runtime: Runtime = self.app.state.runtime
        return runtime

    async def post(self, path: str, body: Any = None, key: str | None = None) -> httpx2.Response:
        """A command with an idempotency key of its own, unless one is given."""
        return await self.http.post(
            path, json=body, headers={"idempotency-key": key or uuid.uuid4().hex}
        )

    async def json(self, path: str, **params: str) -> Any:
        """What a query answers."""
        return (await self.http.get(path, params=params)).json()


@asynccontextmanager
async def running(
    service: Service,
    keys: Path,
    store: Store | None,
    bus: Bus | None,
    role: Role = "operator",
    *,
    ready: bool = True,
    connect: Connect | None = None,
) -> AsyncIterator[Running]:
    """Start it, wait until it is ready (unless that is not expected), and stop it."""
    issuer = Issuer(keys)
    issuer.ensure()
    settings = service.settings(jwks=keys / "jwks.json", partitions=2)
    app = service.app(settings, store, bus, connect)
    token = issuer.access_token("op-1", [role])
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app),
            base_url="http://service",
            headers={"authorization": f"Bearer {token}"},
        ) as http,
    ):
        await until(app.state.runtime.faults, lambda faults: not (ready and faults))
        yield Running(app, http)
