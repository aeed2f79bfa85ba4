"""The gateway's layer under the edge: who asks, how often, and which service answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.limits import Limits
from services.gateway.pages import Page, Pages
from services.gateway.proxy import Proxy, Request
from services.gateway.table import Table, Target
from services.gateway.upstreams import Answer
from shared.chassis.auth import Caller, Unauthorised, Verifier
from shared.chassis.errors import Problem, Unavailable
from shared.chassis.replies import problem_body

OWN = "gateway"
PREFIX = "/v1"
Found = TypeVar("Found")
_OPEN = frozenset(("/livez", "/readyz", "/metrics", "/version"))


@dataclass(frozen=True)
class Parts:
    """What the front is made of, shared by all requests."""

    table: Table
    pages: Pages
    proxy: Proxy
    limits: Limits
    verifier: Verifier


class Front:
    """ASGI: answers what it can, passes on what is another's, and lets the own routes through."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self._app, self._parts = app, parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in _OPEN:
            await self._app(scope, receive, send)
            return
        try:
            answer = await self._answer(scope, receive)
        except Problem as problem:
            answer = _problem(problem, scope["telar.correlation"])
        if answer is None:
            await self._app(scope, receive, send)
        else:
            await _send(answer, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer | None:
        request = Request(scope, receive)
        if (page := self._page(request)) is not None:
            self._parts.limits.take(_address(scope))
            return await page(request)
        self._admit(scope, request)
        path = _inside(request.path)
        target = self._target(path, request.method)
        if target.service != OWN:
            scope["route"] = target
            return await self._parts.proxy.pass_on(target.service, path, request)
        if not scope["app"].state.has_views:
            raise Unavailable("not-ready")
        scope["path"], scope["raw_path"] = scope["path"].removeprefix(PREFIX), path.encode()
        return None

    def _page(self, request: Request) -> Page | None:
        methods = self._parts.pages.get(request.path)
        return None if methods is None else _of_method(methods, request.method)

    def _admit(self, scope: Scope, request: Request) -> Caller:
        """Count the request for who asks, or, when nobody known does, for where it comes from."""
        authorization = request.headers.get(b"authorization")
        try:
            text = authorization.decode("latin-1") if authorization else None
            caller = self._parts.verifier.caller(text)
        except Unauthorised:
            self._parts.limits.take(_address(scope))
            raise
        self._parts.limits.take(caller.subject)
        return caller

    def _target(self, path: str, method: str) -> Target:
        methods = self._parts.table.find(path)
        if not methods:
            raise Problem(404, "not-found")
        return _of_method(methods, method)


def _inside(path: str) -> str:
    """The path as the services know it: from the slash behind the prefix on."""
    if not path.startswith(f"{PREFIX}/"):
        raise Problem(404, "not-found")
    return path.removeprefix(PREFIX)


def _of_method(methods: Mapping[str, Found], method: str) -> Found:
    if method not in methods:
        allow = {"allow": ", ".join(sorted(methods))}
        raise Problem(405, "method-not-allowed", headers=allow)
    return methods[method]


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return f"address {client[0]}" if client else "address"


def _problem(problem: Problem, correlation: str) -> Answer:
    errors = [dict(one) for one in problem.errors]
    body = problem_body(problem.status, problem.code, correlation, errors)
    headers = [(name.encode(), value.encode()) for name, value in problem.headers.items()]
    return Answer(problem.status, [(b"content-type", b"application/problem+json"), *headers], body)


async def _send(answer: Answer, send: Send) -> None:
    length = (b"content-length", str(len(answer.body)).encode())
    start = {"type": "http.response.start", "status": answer.status}
    await send({**start, "headers": [*answer.headers, length]})
    await send({"type": "http.response.body", "body": answer.body})
