"""Replicas of the gateway on databases and a bus that outlive them."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from services.gateway.app import SERVICE
from services.gateway.settings import Settings
from services.gateway.store import counters
from shared.chassis.envelope import encode, encode_value, envelope, short
from shared.chassis.ports import Bus, Store
from shared.chassis.service import Connect
from shared.chassis.streams import fresh, number
from shared.chassis.tokens import Issuer
from shared.events import enrollment, grants
from shared.model import Event
from tests.support.shared import SharedBus, SharedStore
from tests.support.spec import NOON, context
from tests.support.wait import until

PATH = "/v1/operations/gateway/rebuild"
SWAP, COMPARE = {"reason": "views differ"}, {"reason": "is all well", "mode": "compare"}


@dataclass
class Process:
    """One replica of the gateway."""

    app: FastAPI
    http: httpx2.AsyncClient

    async def get(self, path: str) -> Any:
        return (await self.http.get(path)).json()

    async def order(
        self, body: Any, key: str = "order-0001", *, path: str = PATH
    ) -> httpx2.Response:
        return await self.http.post(path, json=body, headers={"idempotency-key": key})

    async def built(self, *states: str, within: float = 20.0) -> dict[str, Any]:
        return await until(
            lambda: self.get(PATH), lambda seen: seen.get("state") in states, within=within
        )

    @property
    def group(self) -> str:
        group: str = self.app.state.runtime.group
        return group

    async def follows(self, group: str = "gateway-1") -> None:
        """It has the views of this generation."""

        async def now() -> str:
            return self.group

        await until(now, lambda seen: seen == group)

    async def paid(self) -> int:
        """How many are counted as registered and as paid: so few women the API does not show."""
        sums: Counter[str] = Counter()
        async for part in counters(self.app.state.runtime.store):
            sums.update(part.counts)
        return min(sums["registered"], sums["payments_confirmed"])


@dataclass
class Place:
    """Databases and a bus, and the replicas that run on them."""

    folder: Path
    stores: dict[int, SharedStore] = field(default_factory=dict)
    bus: SharedBus = field(default_factory=SharedBus)
    streams: dict[str, Any] = field(default_factory=dict)
    sent: int = 0

    def connect(self, generation: int) -> tuple[Store, Bus]:
        return self.stores.setdefault(generation, SharedStore()), self.bus

    def held(self, bus: Bus) -> Connect:
        """A network of a replica, on which generations after the first find this bus."""

        def connect(generation: int) -> tuple[Store, Bus]:
            store, usual = self.connect(generation)
            return store, bus if generation else usual

        return connect

    @asynccontextmanager
    async def process(self, connect: Connect | None = None) -> AsyncIterator[Process]:
        """A replica that is ready."""
        async with self.starting(connect) as process:
            await ready(process.app)
            yield process

    @asynccontextmanager
    async def starting(self, connect: Connect | None = None) -> AsyncIterator[Process]:
        """A replica, as soon as it is called."""
        issuer = Issuer(self.folder / "keys")
        issuer.ensure()
        keys = self.folder / "keys"
        settings = Settings(jwks=keys / "jwks.json", issuer=keys, partitions=2)
        app = SERVICE.app(settings, connect=connect or self.connect)
        headers = {"authorization": f"Bearer {issuer.access_token('op-1', ['operator'])}"}
        transport = httpx2.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(
                transport=transport, base_url="http://gateway", headers=headers
            ) as http,
        ):
            yield Process(app, http)

    async def publish(self, *events: Event) -> None:
        """What the services would have sent."""
        producer = await self.bus.producer()
        for event in events:
            self.sent += 1
            now = context(NOON + timedelta(minutes=self.sent), cause=f"cause-{self.sent}")
            unnumbered = envelope(event, encode_value(event), f"event-{self.sent}", now)
            place = f"{short(unnumbered.topic)}/{event.stream_key}"
            stream = self.streams.get(place) or fresh(event.stream_key)
            self.streams[place], sealed = number(stream, unnumbered)
            await producer.send([encode(sealed)], 5.0)

    async def women(self, *names: str) -> None:
        """Each registers in a state, and is paid."""
        for name in names:
            await self.publish(registered(name), paid(name))

    def views(self, generation: int) -> dict[str, Any]:
        """The views without their versions."""
        return {
            name: {one["_id"]: one | {"version": 0} for one in self.stores[generation].all(name)}
            for name in ("people", "timeline")
        }


async def ready(app: FastAPI) -> None:
    """Whichever runtime is the live one by then."""

    async def faults() -> list[str]:
        found: list[str] = await app.state.runtime.faults()
        return found

    await until(faults, lambda seen: not seen)


def registered(name: str) -> Event:
    return enrollment.PersonRegistered(
        person_id=name, state="20", municipality="20067", rural_class="rural"
    )


def paid(name: str) -> Event:
    return grants.PaymentConfirmed(
        person_id=name, payment_id=f"p-{name}", award_id="a1", tranche=1, amount=5
    )


async def counted(process: Process, many: int) -> None:
    await until(process.paid, lambda seen: seen == many)
