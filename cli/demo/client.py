"""The public API as the demo calls it: tokens, keys, bounded concurrency, patience."""

import asyncio
import random
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Self, TypeVar

import httpx2

from shared.chassis.auth import Role
from shared.chassis.tokens import Issuer

CONCURRENCY = 32
PATIENCE = 60.0
_NOT_NOW = {429, 502, 503, 504}
_POSITIONS = 8
"""So many may one query wait for."""

_TOKEN_SECONDS = 400

_LAST_CALLS = 400

Found = TypeVar("Found")


class Stuck(Exception):
    """Something that must come did not come in time."""


class Unexpected(Exception):
    """The API gave an answer that the programme does not foresee."""


@dataclass(frozen=True)
class Who:
    """Who calls, and as what."""

    subject: str
    roles: tuple[Role, ...]


@dataclass(frozen=True)
class Answer:
    """What came back; `position` says where in the streams the effect stands."""

    status: int
    data: Any
    position: str = ""
    reached: bool = True

    @property
    def code(self) -> str:
        """The stable code of a refusal; empty when it was granted."""
        return "" if self.status < 400 else str(self.data.get("code", self.status))


@dataclass
class Client:
    """Calls `/v1/…`; a command is repeated with its key until it has an answer."""

    gateway: str
    keys: Path
    run_id: str
    calls: Counter[str] = field(default_factory=Counter)
    _took: deque[float] = field(default_factory=lambda: deque(maxlen=_LAST_CALLS))

    async def __aenter__(self) -> Self:
        self._issuer = Issuer(self.keys)
        self._issuer.ensure()
        self._tokens: dict[Who, tuple[float, str]] = {}
        self._turn = asyncio.Semaphore(CONCURRENCY)
        limits = httpx2.Limits(
            max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY, keepalive_expiry=30
        )
        self._http = httpx2.AsyncClient(
            base_url=self.gateway, limits=limits, timeout=20.0, trust_env=False
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    @property
    def pace(self) -> float:
        """Seconds that a call took on average lately, without its wait for a turn."""
        return sum(self._took) / len(self._took) if self._took else 0.0

    async def command(
        self, who: Who, path: str, body: object = None, *, key: str, may: str = ""
    ) -> Answer:
        """Once per key, whatever happens on the way; `may` names the refusals that are foreseen."""
        headers = {"idempotency-key": f"{self.run_id}-{key}"}
        answer = await self._patiently("POST", who, path, headers=headers, json=body)
        if answer.code and answer.code not in may.split():
            raise Unexpected(f"POST {path}: {answer.status} {answer.code}")
        return answer

    async def read(self, who: Who, path: str, **params: object) -> Any:
        """What a GET shows."""
        return (await self._read(who, path, params)).data

    async def _read(self, who: Who, path: str, params: dict[str, object]) -> Answer:
        given = {name: str(value) for name, value in params.items() if value is not None}
        answer = await self._patiently("GET", who, path, params=given)
        if answer.code:
            raise Unexpected(f"GET {path}: {answer.status} {answer.code}")
        return answer

    async def items(self, who: Who, path: str, **params: object) -> AsyncIterator[Any]:
        """Every item of a list, page after page."""
        cursor: str | None = None
        while True:
            page = await self.read(who, path, cursor=cursor, limit=100, **params)
            for item in page["items"]:
                yield item
            if (cursor := page["next"]) is None:
                return

    async def all(self, who: Who, path: str, **params: object) -> list[Any]:
        """A whole list."""
        return [item async for item in self.items(who, path, **params)]

    async def applied(self, who: Who, path: str, *positions: str) -> None:
        """Wait until the service behind this path has applied what stands at these positions."""
        places = [place for position in positions for place in position.split(",") if place]
        for at in range(0, len(places), _POSITIONS):
            after = ",".join(places[at : at + _POSITIONS])
            await until(partial(self._reached, who, path, after), f"{path} after {after}")

    async def _reached(self, who: Who, path: str, after: str) -> bool:
        return (await self._read(who, path, {"after": after, "limit": 1})).reached

    async def _patiently(self, method: str, who: Who, path: str, **request: Any) -> Answer:
        """Again with the same key while nobody is there to answer."""
        deadline, pause = monotonic() + PATIENCE, 0.1
        while True:
            problem = ""
            try:
                response = await self._once(method, who, path, **request)
                answer = _answer(response)
                if answer.status not in _NOT_NOW and answer.code != "idempotency-in-progress":
                    return answer
                problem = f"{answer.status} {answer.code}"
            except httpx2.TransportError as error:
                problem = type(error).__name__
            self.calls["repeated"] += 1
            if monotonic() > deadline:
                raise Stuck(f"{method} {path}: {problem}")
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - only jitter
            pause = min(pause * 2, 2.0)

    async def _once(self, method: str, who: Who, path: str, **request: Any) -> httpx2.Response:
        headers = {**request.pop("headers", {}), "authorization": f"Bearer {self._token(who)}"}
        async with self._turn:
            self.calls[method] += 1
            begun = monotonic()
            answer = await self._http.request(method, f"/v1{path}", headers=headers, **request)
            self._took.append(monotonic() - begun)
            return answer

    def _token(self, who: Who) -> str:
        made, token = self._tokens.get(who, (0.0, ""))
        if not token or monotonic() - made > _TOKEN_SECONDS:
            token = self._issuer.access_token(who.subject, who.roles)
            self._tokens[who] = (monotonic(), token)
        return token


def _answer(response: httpx2.Response) -> Answer:
    is_json = "json" in response.headers.get("content-type", "")
    return Answer(
        response.status_code,
        response.json() if is_json else {},
        response.headers.get("telar-position", ""),
        response.headers.get("telar-after", "reached") == "reached",
    )


async def until(
    check: Callable[[], Awaitable[Found | None]], what: str, patience: float = PATIENCE
) -> Found:
    """Look again and again until `check` finds something true; `Stuck` past the deadline."""
    deadline, pause = monotonic() + patience, 0.05
    while not (found := await check()):
        if monotonic() > deadline:
            raise Stuck(f"not within {patience:.0f} s: {what}")
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.4)
    return found
