"""The client of a lane: one round of commands and queries, each answer kept in the history."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2

from shared.chassis.tokens import Issuer
from tests.faults.crash.focus import EVERYTHING, Part
from tests.faults.crash.history import Call, History, Kind
from tests.faults.crash.plans import Home
from tests.faults.crash.services import FLAKY, LOST, LOST_TAIL

TOO_MANY = 101
"""A number from here on is refused."""

Way = Sequence[tuple[Kind, int]]
PLAIN_WAY: Way = [("loan", 1), ("recall", 30), ("loan", 2), ("loan", TOO_MANY), ("loan", 3)]
ILL_WAY: Way = [("loan", 6), ("loan", FLAKY), ("recall", 31), ("loan", 7)]
RIVAL_WAYS: dict[str, Way] = {key: [("loan", 1), ("loan", 2), ("loan", 3)] for key in "efg"}
LOST_WAYS: dict[str, Way] = {
    "b": [("loan", 4), ("loan", LOST), ("loan", 5)],
    "d": [("loan", 8), ("loan", LOST_TAIL)],
}

RECALLED = "telar.shelf.book-recalled.v1"
VIEWS = ("topic", "lag", "parked", "quarantine", "streams", "chains", "checks", "audit")
"""What an operator may ask of a service."""

PATIENCE = 15.0


class Client:
    """Speaks to both services of a lane over their sockets."""

    def __init__(self, homes: dict[str, Home], keys: Path) -> None:
        self._issuer = Issuer(keys)
        self._issuer.ensure()
        self._services = sorted(homes)
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

    async def walk(self, history: History, name: str, chosen: frozenset[Part] = EVERYTHING) -> None:
        """Commands of every kind on keys of their own, one after another on each key."""
        jobs = [self._way(history, f"{name}-a", PLAIN_WAY)]
        more = (LOST_WAYS if "gaps" in chosen else {}) | (RIVAL_WAYS if "rival" in chosen else {})
        jobs += [self._way(history, f"{name}-{key}", way) for key, way in more.items()]
        if "ill" in chosen:
            jobs.append(self._way(history, f"{name}-c", ILL_WAY))
        if "views" in chosen:
            jobs.append(self._look(history, name))
        if "orders" in chosen:
            jobs.append(self._order(history, name))
        await asyncio.gather(*jobs)

    async def _way(self, history: History, key: str, way: Way) -> None:
        shelf = f"shelf-{key[:-2]}"
        for kind, number in way:
            if history.is_over:
                return
            call = Call(kind, shelf, key, number)
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
        history.judge(str(call), answer)
        if fault := call.answer(answer.status_code, answer.content):
            history.faults.append(fault)

    async def settle(self, history: History) -> None:
        """Repeat what has no answer until it has, but leave every other one as it is."""
        unknown = [call for call in history.calls if call.outcome == "unknown"]
        accepted = [call for call in history.calls if call.outcome == "accepted"]
        await self._again(history, [*unknown[::2], *accepted[:1]])

    async def resolve(self, history: History) -> None:
        """Ask for what was left unknown, too: it must fit what everybody can see by now."""
        await self._again(history, [one for one in history.calls if one.outcome == "unknown"])

    async def _again(self, history: History, calls: Sequence[Call]) -> None:
        for call in calls:
            await until_answered(lambda call=call: self.send(history, call), call)

    async def adopt(self, service: str) -> None:
        """An operator decides that a restored service goes on behind Kafka."""
        path, body = f"/operations/{service}/adopt-topic", {"reason": "an old backup"}
        await self._post(History(), service, path, body)

    async def backfill(self, once: str) -> bool:
        """An operator lets the reader make up for the recalls; whether that is accepted."""
        path, body = "/operations/reader/backfill", {"type": RECALLED, "reason": "a new handler"}
        with suppress(httpx2.TransportError):
            headers = {"idempotency-key": once}
            answer = await self.http["reader"].post(path, json=body, headers=headers)
            return answer.status_code == 200
        return False

    async def _order(self, history: History, name: str) -> None:
        """What an operator does meanwhile, without need."""
        body = {"topic": "telar.shelf", "key": f"{name}-c", "reason": "it is ill"}
        for _ in range(4):
            await self._post(history, "reader", "/operations/reader/parked/retry", body)
            await asyncio.sleep(0.1)
        body = {"key": f"{name}-a", "first": 1, "reason": "to be sure"}
        await self._post(history, "shelf", "/operations/shelf/resend", body)

    async def _post(self, history: History, service: str, path: str, body: Any) -> None:
        once = {"idempotency-key": uuid.uuid4().hex}
        with suppress(httpx2.TransportError):
            history.judge(path, await self.http[service].post(path, json=body, headers=once))

    async def _look(self, history: History, name: str) -> None:
        service = self._services[len(history.calls) % 2]
        asked = [
            ("shelf", f"/shelves/shelf-{name}"),
            ("reader", f"/cards/{name}-a"),
            ("shelf", "/scratch"),
            (service, "/readyz"),
            (service, f"/operations/{service}"),
            *[(service, f"/operations/{service}/{view}") for view in VIEWS],
        ]
        for service, path in asked:
            with suppress(httpx2.TransportError):
                history.judge(path, await self.http[service].get(path))


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
