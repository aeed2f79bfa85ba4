"""The operator's API behind the gateway: reads page by page, commands once whatever happens."""

import getpass
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx2

from deploy.local.stack import Stack
from shared.chassis.tokens import Issuer

PATIENCE = 20.0
"""Seconds for which a call is made again while nobody answers, from the first failure in a row."""

WAITS = {"operator-rate": 65.0, "idempotency-in-progress": 900.0}
"""Codes that say to wait: an order too many in a minute, one that is under way; for how long."""

_FAILS = "fails"
_NOT_NOW = {429, 502, 503, 504}
_PAUSE = 0.3
_TOKEN_SECONDS = 300.0
_PAGE = 100
_STRANGE = re.compile(r"[^a-z0-9_-]+")
"""What a token's subject cannot hold."""

_SUBJECT = 64


class Denied(Exception):
    """The API said no, or nobody answered: a stable code, and where."""

    def __init__(self, code: str, where: str) -> None:
        self.code = code
        super().__init__(f"{code} ({where})")


class Api:
    """Calls `/v1/operations/…` in the name of who runs this command."""

    def __init__(
        self, gateway: str, keys: Path, transport: httpx2.BaseTransport | None = None
    ) -> None:
        self._issuer = Issuer(keys)
        self._issuer.ensure()
        self._made, self._token = 0.0, ""
        self._http = httpx2.Client(
            base_url=f"{gateway}/v1", timeout=60.0, trust_env=False, transport=transport
        )

    @classmethod
    def of(cls, stack: Stack) -> Self:
        """For a stack that is up."""
        return cls(stack.gateway, stack.keys)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        """What a query answers."""
        given = {name: value for name, value in params.items() if value is not None}
        return self._patiently("GET", f"/operations/{path}", params=given)

    def items(self, path: str, **params: Any) -> Iterator[Any]:
        """Every item of a list, page after page."""
        for page in self.pages(path, **params):
            yield from page["items"]

    def pages(self, path: str, **params: Any) -> Iterator[Any]:
        """Every page of a list."""
        cursor: str | None = None
        while True:
            page = self.get(path, cursor=cursor, limit=_PAGE, **params)
            yield page
            if (cursor := page["next"]) is None:
                return

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """A command: repeated under one key until it has an answer, so done once."""
        headers = {"idempotency-key": uuid4().hex}
        return self._patiently("POST", f"/operations/{path}", json=body, headers=headers)

    def _patiently(self, method: str, path: str, **request: Any) -> Any:
        since = dict[str, float]()
        while True:
            try:
                answer = self._once(method, path, **request)
                if answer.is_success:
                    return answer.json()
                code, again = _code(answer), answer.status_code in _NOT_NOW
            except httpx2.TransportError as error:
                code, again = type(error).__name__, True
            if not _may_wait(code, since, again=again):
                raise Denied(code, f"{method} {path}")
            time.sleep(_PAUSE)

    def _once(self, method: str, path: str, **request: Any) -> httpx2.Response:
        headers = {**request.pop("headers", {}), "authorization": f"Bearer {self._bearer()}"}
        return self._http.request(method, path, headers=headers, **request)

    def _bearer(self) -> str:
        if not self._token or time.monotonic() - self._made > _TOKEN_SECONDS:
            self._token = self._issuer.access_token(_whoami(), ["operator"])
            self._made = time.monotonic()
        return self._token


def _may_wait(code: str, since: dict[str, float], *, again: bool) -> bool:
    """Whether to ask once more: failures have as much patience after a long wait as before."""
    now = time.monotonic()
    if code in WAITS:
        if code not in since:
            print(f"  {code}: waits for up to {WAITS[code]:.0f} s", file=sys.stderr)
        since.pop(_FAILS, None)
        return now - since.setdefault(code, now) <= WAITS[code]
    return again and now - since.setdefault(_FAILS, now) <= PATIENCE


def full(topic: str) -> str:
    """`grants` and `telar.grants` are the same topic."""
    return topic if topic.startswith("telar.") else f"telar.{topic}"


def short(topic: str) -> str:
    """A topic without what all have in common."""
    return topic.removeprefix("telar.")


def _whoami() -> str:
    """Who stands in the audit: the login name, in letters that a token can hold."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = ""
    return _STRANGE.sub("-", name.lower()).strip("_-")[:_SUBJECT] or "operator"


def _code(answer: httpx2.Response) -> str:
    try:
        body = answer.json()
    except ValueError:
        return str(answer.status_code)
    places = ",".join(str(one.get("place")) for one in body.get("errors") or ())
    code = str(body.get("code", answer.status_code))
    return f"{code}: {places}" if places else code
