"""The outermost layer of HTTP: correlation, body limit, timing, and the last-resort answer."""

import asyncio
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import structlog
import uuid_utils
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.chassis import logging, metrics
from shared.chassis.errors import Problem
from shared.chassis.ports import BusError, OutcomeUnknown, StoreError
from shared.chassis.replies import problem_body
from shared.chassis.strict import BODY_BYTES
from shared.model import Refused

_CORRELATION = re.compile(r"[A-Za-z0-9_-]{8,64}")
_TRACE = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
"""W3C Trace Context; what has another form is as good as none."""


log = structlog.get_logger("telar.http")


class Edge:
    """ASGI middleware around everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; whatever happens, the answer is a problem document at worst."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        with logging.Inside(exchange.about):
            try:
                exchange.refuse_announced()
                await self.app(scope, exchange.receive, exchange.send)
            except Problem as problem:
                await exchange.answer(problem.status, problem.code)
            except asyncio.CancelledError:
                # The service stops, and the server has waited for long enough: without an answer
                # of ours it would send its own, a 500. What was begun may still be committed.
                await exchange.answer(503, "outcome-unknown")
                raise
            except ClientDisconnect:
                log.info("request.left", route=exchange.route)
            except Exception:
                log.exception("request.failed", route=exchange.route)
                await exchange.answer(500, "internal-error")
        labels = (scope["method"], exchange.route, str(exchange.status))
        metrics.HTTP_SECONDS.labels(*labels).observe(time.perf_counter() - exchange.started)


class _Exchange:
    """One request and what was answered."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self.started = time.perf_counter()
        self.status = 0
        self._read = 0
        self._headers = dict(scope["headers"])
        given = self._headers.get(b"correlation-id", b"").decode("latin-1")
        self.correlation = given if _CORRELATION.fullmatch(given) else str(uuid_utils.uuid4())
        trace = self._headers.get(b"traceparent", b"").decode("latin-1")
        scope["telar.correlation"] = self.correlation
        scope["telar.traceparent"] = trace if _TRACE.fullmatch(trace) else None

    def about(self) -> dict[str, str]:
        """Where a log line of this request belongs; a command has said its cause in the scope."""
        fields = {"correlation": self.correlation}
        if cause := self._scope.get("telar.causation"):
            fields["causation"] = cause
        return fields | logging.trace_id(self._scope["telar.traceparent"])

    @property
    def route(self) -> str:
        """The route's template: no ids in logs or metrics."""
        return getattr(self._scope.get("route"), "path", "unmatched")

    def refuse_announced(self) -> None:
        """413 for a body that says itself that it is too large: not a byte of it is waited for."""
        declared = self._headers.get(b"content-length", b"0")
        if declared.isdigit() and (len(declared) > 18 or int(declared) > BODY_BYTES):
            raise Problem(413, "body-too-large")

    async def receive(self) -> Message:
        """The next part of the body, up to the limit."""
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > BODY_BYTES:
            raise Problem(413, "body-too-large")
        return message

    async def send(self, message: Message) -> None:
        """Pass on the answer, with the correlation."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            named = (b"correlation-id", self.correlation.encode())
            message = {**message, "headers": [*message.get("headers", []), named]}
        try:
            await self._send(message)
        except RuntimeError as error:
            # What uvloop says of a connection that the caller has reset.
            if "handler is closed" in str(error):
                raise ClientDisconnect from error
            raise

    async def answer(self, status: int, code: str) -> None:
        """A problem document, unless an answer has begun."""
        if self.status:
            return
        body = problem_body(status, code, self.correlation)
        headers = [(b"content-type", b"application/problem+json")]
        with suppress(ClientDisconnect):
            await self.send({"type": "http.response.start", "status": status, "headers": headers})
            await self.send({"type": "http.response.body", "body": body})


def install(app: FastAPI) -> None:
    """Answer every error of this app with a problem document."""
    app.add_middleware(Edge)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(StoreError, _server)
    app.add_exception_handler(BusError, _server)


def _respond(
    request: Request, problem: Problem, errors: list[dict[str, Any]] | None = None
) -> Response:
    correlation = request.scope["telar.correlation"]
    body = problem_body(problem.status, problem.code, correlation, errors)
    return Response(body, problem.status, problem.headers, "application/problem+json")


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return _respond(request, error, [dict(one) for one in error.errors])


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return _respond(request, Problem(error.status, error.code))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # Place and kind only: pydantic's own text carries the value that was sent.
    places = [{"place": _place(one), "code": one["type"]} for one in error.errors()[:50]]
    return _respond(request, Problem(422, "body-invalid"), places)


def _place(error: Mapping[str, Any]) -> str:
    """Where it is, in our words: the name of an unknown field is the sender's and not repeated."""
    loc = error["loc"][:-1] if error["type"] == "extra_forbidden" else error["loc"]
    return "/".join(str(part) for part in loc)[:200]


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    codes = {404: "not-found", 405: "method-not-allowed", 400: "body-malformed"}
    code = codes.get(error.status_code, "internal-error")
    return _respond(request, Problem(error.status_code, code, headers=error.headers))


async def _server(request: Request, error: Exception) -> Response:
    code = "outcome-unknown" if isinstance(error, OutcomeUnknown) else "not-ready"
    log.warning("request.server", error=type(error).__name__)
    return _respond(request, Problem(503, code, headers={"retry-after": "1"}))
