"""Callers of a running service, each with a token: a woman, her promoter, an officer."""

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2

from shared.chassis.auth import Role
from shared.chassis.memory.store import MemoryStore
from shared.chassis.tokens import Issuer
from tests.support.app import Running


class TickingStore(MemoryStore):
    """A store whose clock goes: a service is not ready by one that stands."""

    async def time(self) -> datetime:
        """Now."""
        return datetime.fromtimestamp(time.time(), UTC)


@dataclass(frozen=True)
class Answer:
    """What came back: the status, the body as read, the headers."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> str:
        """The stable code of a refusal."""
        return str(self.body["code"])


class Caller:
    """Somebody who calls one service."""

    def __init__(self, service: Running, token: str) -> None:
        self._http = service.http
        self._token = token

    async def get(self, path: str, **params: str) -> Answer:
        """A query."""
        return _answer(await self._http.get(path, params=params, headers=self._headers()))

    async def post(
        self, path: str, body: Any = None, key: str | None = None, match: str | None = None
    ) -> Answer:
        """A command, under a key of its own unless one is given; `match` is what she has read."""
        headers = self._headers(key or uuid.uuid4().hex)
        headers |= {"if-match": match} if match else {}
        return _answer(await self._http.post(path, json=body, headers=headers))

    async def put(self, path: str, body: Any) -> Answer:
        """An edit."""
        headers = self._headers(uuid.uuid4().hex)
        return _answer(await self._http.put(path, json=body, headers=headers))

    def _headers(self, key: str | None = None) -> dict[str, str]:
        headers = {"authorization": f"Bearer {self._token}"}
        return headers | {"idempotency-key": key} if key else headers


def _answer(response: httpx2.Response) -> Answer:
    return Answer(response.status_code, response.json(), response.headers)


class Callers:
    """Makes callers of one service, by the keys that it trusts."""

    def __init__(self, service: Running, keys: Path) -> None:
        self._service, self._issuer = service, Issuer(keys)

    def __call__(self, subject: str, role: Role, on_behalf_of: str | None = None) -> Caller:
        """One caller with one role."""
        token = self._issuer.access_token(subject, [role], on_behalf_of)
        return Caller(self._service, token)
