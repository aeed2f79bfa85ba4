"""The public API as any client calls it: plain HTTP, and tokens signed with plain PyJWT."""

import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2
import jwt

Body = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: Any
    headers: httpx2.Headers

    @property
    def code(self) -> str:
        """The stable code of a refusal."""
        return str(self.body["code"])


class Api:
    """Callers of one gateway, each with a token of their own."""

    def __init__(self, gateway: str, keys: Path) -> None:
        self._keys = keys
        self.http = httpx2.AsyncClient(base_url=f"{gateway}/v1", timeout=20.0, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.http.aclose()

    def __call__(self, subject: str, role: str) -> "Caller":
        """Somebody with one role."""
        return Caller(self.http, self.token(subject, role))

    def token(self, subject: str, role: str, **changes: Any) -> str:
        """What the issuer would sign for them; `changes` to the claims spoil it."""
        pem = min(self._keys.glob("*.pem"))
        now = int(time.time())
        claims = {
            "iss": "telar",
            "aud": "telar",
            "sub": subject,
            "iat": now,
            "exp": now + 300,
            "jti": uuid.uuid4().hex,
            "roles": [role],
        }
        headers = {"typ": "at+jwt", "kid": pem.stem}
        return jwt.encode(claims | changes, pem.read_bytes(), algorithm="ES256", headers=headers)


class Caller:
    """One caller."""

    def __init__(self, http: httpx2.AsyncClient, token: str) -> None:
        self._http, self._headers = http, {"authorization": f"Bearer {token}"}

    async def get(self, path: str, **params: str) -> Answer:
        """A query."""
        return _answer(await self._http.get(path, params=params, headers=self._headers))

    async def ask(self, path: str, body: Body | None = None, **headers: str) -> Answer:
        """A command, whatever comes of it."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        key = {"idempotency-key": uuid.uuid4().hex}
        sent = self._headers | key | named
        return _answer(await self._http.post(path, json=body, headers=sent))

    async def do(self, path: str, body: Body | None = None) -> Any:
        """A command that must be granted; what it answered."""
        answer = await self.ask(path, body)
        assert answer.status in (200, 201), (path, answer)
        return answer.body


def _answer(response: httpx2.Response) -> Answer:
    return Answer(response.status_code, response.json(), response.headers)
