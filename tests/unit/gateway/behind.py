"""A gateway in this process with services that are only a script behind it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from services.gateway import documents
from services.gateway.app import SERVICE
from services.gateway.settings import Settings
from services.gateway.upstreams import Pool
from shared.chassis.auth import Role
from shared.chassis.memory import MemoryBus, MemoryStore
from shared.chassis.tokens import Issuer

OWN = documents.committed()["gateway"]
GRANTS: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Telar grants", "version": "0"},
    "paths": {
        "/awards": {"get": {"operationId": "list_awards", "responses": {}}},
        "/awards/{award_id}": {
            "get": {
                "operationId": "get_award",
                "responses": {"200": {"schema": {"$ref": "#/components/schemas/View"}}},
            }
        },
        "/awards/{award_id}/acceptance": {"post": {"operationId": "accept", "responses": {}}},
    },
    "components": {"schemas": {"View": {"title": "AwardView"}}},
    "x-telar-codes": {"award-unknown": "No encontramos ese apoyo."},
}
TRADE: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Telar trade", "version": "0"},
    "paths": {"/fairs": {"get": {"operationId": "list_fairs", "responses": {}}}},
    "components": {"schemas": {"View": {"title": "FairView"}}},
    "x-telar-codes": {"fair-unknown": "No encontramos esa feria."},
}

Reaction = Callable[[httpx2.Request], httpx2.Response]


def said(status: int = 200, body: Any = None, **headers: str) -> Reaction:
    """A replica that answers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named = {"content-type": "application/json"} | named

    def react(_: httpx2.Request) -> httpx2.Response:
        stream = httpx2.ByteStream(json.dumps(body).encode())
        return httpx2.Response(status, headers=named, stream=stream)

    return react


def fails(error: type[httpx2.TransportError]) -> Reaction:
    """A replica with which something goes wrong."""

    def react(request: httpx2.Request) -> httpx2.Response:
        raise error("scripted", request=request)

    return react


NEVER = said()
"""A replica that takes the request and says nothing."""


@dataclass
class Replicas(httpx2.AsyncBaseTransport):
    """What each address does, and what it was asked."""

    does: dict[str, Reaction] = field(default_factory=dict)
    asked: list[httpx2.Request] = field(default_factory=list)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        reaction = self.does.get(request.url.host, said(200, {"ok": True}))
        if reaction is NEVER:
            await asyncio.Event().wait()
        return reaction(request)

    @property
    def hosts(self) -> list[str]:
        return [request.url.host for request in self.asked]


class Gateway:
    """The app, a client for it, an issuer it trusts, and the replicas of grants."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.issuer = Issuer(folder / "keys")
        self.issuer.ensure()
        self.settings = Settings(
            jwks=folder / "keys" / "jwks.json", issuer=folder / "keys", **settings
        )
        self.store, self.bus = MemoryStore(), MemoryBus()
        self.app = SERVICE.app(self.settings, self.store, self.bus)
        self.replicas = Replicas()
        self.replicate("one")
        transport = httpx2.ASGITransport(app=self.app)
        self.http = httpx2.AsyncClient(transport=transport, base_url="http://gateway")

    def replicate(self, *hosts: str) -> None:
        addresses = [f"http://{host}" for host in hosts]
        self.app.state.pools["grants"] = Pool("grants", addresses, self.replicas)

    def bearer(self, subject: str = "ana", role: Role = "applicant") -> dict[str, str]:
        return {"authorization": f"Bearer {self.issuer.access_token(subject, [role])}"}

    async def get(self, path: str, subject: str = "ana", **headers: str) -> httpx2.Response:
        return await self.http.get(path, headers=self.bearer(subject) | _named(headers))

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx2.Response:
        named = self.bearer() | {"content-type": "application/json"} | _named(headers)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.http.post(path, content=content, headers=named)


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def fresh(folder: Path, patch: pytest.MonkeyPatch, **settings: Any) -> Gateway:
    """A gateway over two services whose documents are in this file."""
    found = {"gateway": OWN, "grants": GRANTS, "trade": TRADE}
    patch.setattr(documents, "committed", lambda: found)
    return Gateway(folder, **settings)


@asynccontextmanager
async def started(gateway: Gateway) -> AsyncIterator[Gateway]:
    """With its loops running."""
    async with gateway.app.router.lifespan_context(gateway.app):
        yield gateway
