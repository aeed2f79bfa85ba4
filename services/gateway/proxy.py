"""One call passed on: what of a request a service gets to see, and what of its answer a caller."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from services.gateway.upstreams import Answer, Call, Headers, Pool
from shared.chassis.errors import Problem

_ASKED = frozenset(
    (
        b"accept-language",
        b"authorization",
        b"content-type",
        b"idempotency-key",
        b"if-match",
        b"if-none-match",
        b"traceparent",
        b"tracestate",
    )
)
_ANSWERED = frozenset(
    (
        b"allow",
        b"cache-control",
        b"content-language",
        b"content-type",
        b"etag",
        b"location",
        b"retry-after",
        b"telar-after",
        b"telar-position",
        b"www-authenticate",
    )
)
MAX_URL = 32 * 1024
"""Bytes of a path with its query: 128 places of `after=` are the longest."""

_MARGIN_MS = 100
"""A service is told to answer a little earlier: its own word is better than a 504."""

_PLAIN_PATH = re.compile(r"[A-Za-z0-9._~:@!$&'()*+,;=%/-]+")
_DIGITS = re.compile(rb"[0-9]{1,6}")


class Request:
    """A caller's request, as far as it is passed on."""

    def __init__(self, scope: Any, receive: Receive) -> None:
        self.method: str = scope["method"]
        # The blanks around what a header says are no part of it, and cannot be sent on.
        self.headers = {name: value.strip(b" \t") for name, value in scope["headers"]}
        self.correlation: str = scope["telar.correlation"]
        self._receive = receive
        asked: bytes = scope["query_string"]
        if len(scope["raw_path"]) + len(asked) > MAX_URL:
            raise Problem(414, "url-too-long")
        self.path = plain_path(scope)
        if not asked.isascii():
            raise Problem(404, "not-found")
        self.query = f"?{asked.decode('ascii')}" if asked else ""

    async def read(self, seconds: float) -> bytes:
        """The whole body; the edge refuses more than the limit, announced or as it comes in.

        Raises `ClientDisconnect` if the caller left before it was whole.
        """
        body, more = bytearray(), True
        try:
            async with asyncio.timeout(seconds):
                while more:
                    message = await self._receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
        except TimeoutError:
            raise Problem(408, "body-malformed") from None
        return bytes(body)


@dataclass(frozen=True)
class Proxy:
    """Passes calls on to the pools of the services."""

    pools: Mapping[str, Pool]
    timeout_ms: int

    async def pass_on(self, service: str, path: str, request: Request) -> Answer:
        """The service's answer, without what belongs to its connection."""
        patience = min(_patience(request.headers), self.timeout_ms)
        commands = request.method != "GET"
        body = await request.read(patience / 1000) if commands else b""
        call = Call(
            request.method,
            path + request.query,
            _onward(request, patience),
            body,
            safe=not commands or b"idempotency-key" in request.headers,
        )
        answer = await self.pools[service].ask(call, patience / 1000)
        kept = [pair for pair in answer.headers if pair[0].lower() in _ANSWERED]
        return Answer(answer.status, kept, answer.body)


def plain_path(scope: Any) -> str:
    """The path as sent. What a server behind could read as another path is not found."""
    raw, decoded = scope["raw_path"].decode("latin-1"), scope["path"]
    same = decoded.count("/") == raw.count("/") and "\\" not in decoded
    if not (same and _PLAIN_PATH.fullmatch(raw)) or {".", ".."} & set(decoded.split("/")):
        raise Problem(404, "not-found")
    return raw


def _patience(headers: Mapping[bytes, bytes]) -> int:
    asked = headers.get(b"telar-timeout-ms", b"")
    return max(int(asked), 1) if _DIGITS.fullmatch(asked) else 1_000_000


def _onward(request: Request, patience: int) -> Headers:
    told = max(patience - _MARGIN_MS, patience // 2, 1)
    passed = [pair for pair in request.headers.items() if pair[0] in _ASKED]
    return [
        *passed,
        (b"correlation-id", request.correlation.encode()),
        (b"telar-timeout-ms", str(told).encode()),
    ]
