"""The client of a lane: one round of commands and queries, each answer kept in the history."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2

from shared.chassis.tokens import Issuer
from tests.faults.crash.history import Call, History, Kind
from tests.faults.crash.plans import Home
from tests.faults.crash.services import FLAKY, LOST

TOO_MANY = 101
"""A number from here on is refused."""

LAST = 99
"""What a key gets at the end whose records may be lost: a gap is seen by what comes after it."""

PATIENCE = 15.0


class Client:
    """Speaks to both services of a lane over their sockets."""

    def __init__(self, homes: dict[str, Home], keys: Path) -> None:
        self._issuer = Issuer(keys)
        self._issuer.ensure()
        self.http = {name: _http(home.socket) for name, home in homes.items()}

    async def close(self) -> None:
        """Let go of every connection."""
        for http in self.http.values():
            await http.aclose()

    def renew(self) -> None:
        """Take a new token: one lives for ten minutes."""
        token = self._issuer.access_token("op-1", ["operator"])
        for http in self.http.values():
            http.headers["authorization"] = f"Bearer {token}"

    async def walk(self, history: History, name: str) -> None:
        """Commands of every kind on keys of their own, one after another on each key."""
        shelf = f"shelf-{name}"
        ways: dict[str, list[tuple[Kind, int]]] = {
            "a": [("loan", 1), ("recall", 30), ("loan", 2), ("loan", TOO_MANY), ("loan", 3)],
            "b": [("loan", 4), ("loan", LOST), ("loan", 5)],
            "c": [("loan", 6), ("loan", FLAKY), ("recall", 31), ("loan", 7)],
        }
        jobs = [
            self._way(history, [Call(kind, shelf, f"{name}-{key}", number) for kind, number in way])
            for key, way in ways.items()
        ]
        await asyncio.gather(*jobs, self._look(shelf, f"{name}-a"))

    async def _way(self, history: History, calls: list[Call]) -> None:
        for call in calls:
            if history.is_over:
                return
            history.calls.append(call)
            await self.send(history, call)

    async def send(self, history: History, call: Call) -> None:
        """Send a command, or send it again."""
        call.ask()
        path = f"/shelves/{call.shelf}/{call.kind}s"
        body = {"reader_id": call.key, "number": call.number}
        try:
            answer = await self.http["shelf"].post(
                path, json=body, headers={"idempotency-key": call.once}
            )
        except httpx2.TransportError:
            call.no_answer()
            return
        media_type = answer.headers.get("content-type", "").split(";")[0]
        if fault := call.answer(answer.status_code, media_type, answer.content):
            history.faults.append(fault)

    async def settle(self, history: History) -> None:
        """Repeat what has no answer until it has, but leave every other one as it is."""
        history.calls += [
            Call("loan", one.shelf, one.key, LAST)
            for one in list(history.calls)
            if one.number == LOST
        ]
        unknown = [call for call in history.calls if call.outcome == "unknown"]
        accepted = [call for call in history.calls if call.outcome == "accepted"]
        last = [call for call in history.calls if call.outcome == "invoked"]
        again = [*unknown[::2], *accepted[:1], *last]
        for call in again:
            await until_answered(lambda call=call: self.send(history, call), call)

    async def _look(self, shelf: str, key: str) -> None:
        asked = [
            ("shelf", f"/shelves/{shelf}"),
            ("reader", f"/cards/{key}"),
            ("shelf", "/readyz"),
            ("reader", "/readyz"),
            ("shelf", "/operations/shelf"),
            ("reader", "/operations/reader"),
            ("shelf", "/operations/shelf/parked"),
            ("reader", "/operations/reader/parked"),
        ]
        for service, path in asked:
            with suppress(httpx2.TransportError):
                await self.http[service].get(path)


async def until_answered(send: Callable[[], Awaitable[Any]], call: Call) -> None:
    """Send until there is an answer."""
    async with asyncio.timeout(PATIENCE):
        await send()
        while call.outcome == "unknown":  # 503, or gone again
            await asyncio.sleep(0.1)
            await send()


def _http(socket: Path) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=httpx2.AsyncHTTPTransport(uds=str(socket)), base_url="http://lane", timeout=15.0
    )
