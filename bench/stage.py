"""The stage of a run: real servers, the orders that every side reads, names of its own a run."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
from motor.motor_asyncio import AsyncIOMotorClient

from bench import log
from bench.feed import Load, feed, records
from bench.sides import Place, Process
from bench.work import SOURCE, SOURCE_TOPIC
from deploy.local.servers import Servers
from shared.chassis.control import CONTROL
from shared.chassis.tokens import Issuer

START_SECONDS = 30.0
TOKEN_SECONDS = 300.0
"""So long a token is used: it lives for ten minutes, a run for longer."""


@dataclass
class Stage:
    """What the measures share."""

    place: Place
    database: "AsyncIOMotorClient[dict[str, Any]]"
    issuer: Issuer
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _token: tuple[float, str] = (-TOKEN_SECONDS, "")

    def sink(self) -> str:
        """A name for one more run: its group, database and topic."""
        return f"ledger{next(self._numbers)}"

    async def feed(self, load: Load, topic: str = SOURCE_TOPIC) -> None:
        """Make the topic and put the orders into it."""
        await log.create(self.place.kafka, topic)
        await feed(self.place.kafka, list(records(load)), topic)

    async def unfeed(self) -> None:
        """Drop the orders."""
        await log.delete(self.place.kafka, SOURCE_TOPIC)

    async def drop(self, name: str) -> None:
        """Forget a service's database: the next run shall find as little.

        Of the source also what it told others: a sink of the next run would believe it.
        """
        await self.database.drop_database(f"telar_{name}")
        if name == SOURCE:
            await log.delete(self.place.kafka, CONTROL)

    def authorised(self) -> dict[str, str]:
        """The header by which every side knows the caller."""
        made, token = self._token
        if time.monotonic() - made > TOKEN_SECONDS:
            token = self.issuer.access_token("bench", ["operator"])
            self._token = time.monotonic(), token
        return {"authorization": f"Bearer {token}"}


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """Start the servers on a temporary folder; all of it is gone at the end."""
    with TemporaryDirectory(prefix="telar-bench-") as folder, Servers(Path(folder) / "s") as up:
        place = Place(up.mongo, up.kafka, Path(folder))
        issuer = Issuer(place.keys)
        issuer.ensure()
        database: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(up.mongo)
        # What a killed process left open is undone soon, whichever side it was.
        await database.admin.command({"setParameter": 1, "transactionLifetimeLimitSeconds": 10})
        yield Stage(place, database, issuer)


async def ready(process: Process) -> None:
    """Wait until a side answers that it is ready."""
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    async with httpx2.AsyncClient(base_url=process.url) as client:
        while asyncio.get_running_loop().time() < deadline:
            try:
                if (await client.get("/readyz")).status_code == httpx2.codes.OK:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise TimeoutError(process.log.read_text()[-2000:])
