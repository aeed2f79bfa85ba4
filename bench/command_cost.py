"""What one HTTP command costs in the process that takes it: no server, no network.

`python -m bench.command_cost` prints processor time, the best of several runs: of the same route
in bare FastAPI, which answers at once, and of Telar's, from the request to the stored reply, with
documents that are encoded and kept in memory. Uvicorn, the drivers and their waits come on top.
"""

import asyncio
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import orjson
from fastapi import Depends, FastAPI, Request, Response
from starlette.types import ASGIApp, Message

from bench.core_cost import Kept
from bench.telar import TAKES, Settings
from bench.work import Order
from shared.chassis import interpreter
from shared.chassis.memory.bus import MemoryBus
from shared.chassis.memory.store import MemoryStore
from shared.chassis.tokens import Issuer
from shared.types import Id

COMMANDS, PEOPLE, AT_ONCE, RUNS = 2_000, 500, 64, 5


class Shelved(MemoryStore):
    """A store that starts a service as the double does, then costs what encoding costs."""

    kept: Kept | None = None

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """Of the double, or where everything succeeds."""
        place = self.kept or super()
        async with place.transaction() as transaction:
            yield transaction


async def measure() -> dict[str, float]:
    """Microseconds of processor time a command: the bare route, and Telar's."""
    with tempfile.TemporaryDirectory() as folder:
        issuer = Issuer(Path(folder) / "keys")
        issuer.ensure()
        headers = [
            (b"authorization", f"Bearer {issuer.access_token('bench', ['operator'])}".encode()),
            (b"content-type", b"application/json"),
        ]
        route = await _best(_bare(), headers)
        store = Shelved()
        settings = Settings(jwks=Path(folder) / "keys" / "jwks.json")
        app = TAKES.app(settings, store, MemoryBus())
        async with app.router.lifespan_context(app):
            while not app.state.runtime.started:
                await asyncio.sleep(0.01)
            store.kept = Kept()
            return {"route": route, "command": await _best(app, headers)}


def _bare() -> FastAPI:
    """The route as FastAPI's own documents would have it."""
    app = FastAPI()

    async def intent(request: Request) -> str | None:
        return request.headers.get("idempotency-key")

    @app.post("/people/{person_id}/orders")
    async def place(person_id: Id, body: Order, once: Annotated[str, Depends(intent)]) -> Response:
        return Response(b"{}", 201, media_type="application/json")

    return app


async def _best(app: ASGIApp, headers: list[tuple[bytes, bytes]]) -> float:
    await _run(app, headers)
    return min([await _run(app, headers) for _ in range(RUNS)])


async def _run(app: ASGIApp, headers: list[tuple[bytes, bytes]]) -> float:
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with turn:
            await _ask(app, f"/people/p{number % PEOPLE:04d}/orders", headers)

    began = time.process_time()
    await asyncio.gather(*map(one, range(COMMANDS)))
    return (time.process_time() - began) / COMMANDS * 1e6


async def _ask(app: ASGIApp, path: str, headers: list[tuple[bytes, bytes]]) -> None:
    """One command, as a server hands it to an application. Raises if it is not accepted."""
    order = {"order_id": uuid.uuid4().hex, "amount": 1_500_00, "product": "loom-7", "units": 2}
    body, statuses = orjson.dumps(order), list[int]()

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    once = (b"idempotency-key", uuid.uuid4().hex.encode())
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [*headers, once],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }
    await app(scope, receive, send)
    if statuses != [201]:
        raise RuntimeError(f"{path} was answered {statuses}")


if __name__ == "__main__":
    interpreter.spare_the_collector()
    for what, microseconds in asyncio.run(measure()).items():
        sys.stdout.write(f"{what:<8}{microseconds:7.1f} µs a command\n")
