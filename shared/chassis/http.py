"""HTTP in: one command or one query a function, behind a policy; replies are stored."""

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Generic, TypeVar, get_args, get_type_hints

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from shared.chassis import replies
from shared.chassis.auth import Caller
from shared.chassis.errors import Problem, Unavailable
from shared.chassis.policy import Policy, confined_to, person_of
from shared.chassis.query import Page, Paging, Query
from shared.chassis.replies import Idempotency, Stored
from shared.chassis.strict import parse
from shared.chassis.work import Answered, CommandWork
from shared.model import Context, Step, new_id

__all__ = ["Commander", "Intent", "Page", "Paging", "Query", "Reply", "Router", "response_of"]

REPLY_DEADLINE = 10.0
"""Seconds for which a caller waits when it names no shorter time itself."""

_KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))

_KEY_PARAMETER = {
    "name": "idempotency-key",
    "in": "header",
    "required": True,
    "description": "Made by the caller, a new one a command: a repeat with it gets the same answer",
    "schema": {"type": "string", "pattern": f"^{_KEY.pattern}$"},
}
_MATCH_PARAMETER = {
    "name": "if-match",
    "in": "header",
    "required": False,
    "description": "The ETag that was read",
    "schema": {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "If-Match"},
}
"""Said in the document only: what is missing or malformed is answered with a 400 of ours."""

Shown = TypeVar("Shown")


class Reply(Generic[Shown]):
    """What a command answers: the bytes that are stored, of this shape."""


def _authorise(request: Request, policy: Policy) -> None:
    runtime = request.app.state.runtime
    caller: Caller = runtime.verifier.caller(request.headers.get("authorization"))
    request.state.caller, request.state.person_id = caller, person_of(caller)
    request.state.context = Context(
        at=runtime.clock.now(),
        actor=caller.subject,
        cause="query",
        correlation=request.scope["telar.correlation"],
        on_behalf_of=caller.on_behalf_of,
        traceparent=request.scope["telar.traceparent"],
    )
    request.state.guards = policy.check(caller, request.path_params)


class GuardedRoute(APIRoute):
    """Asks its policy first of all; then reads JSON strictly, before FastAPI sees it."""

    policy: Policy

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Wrap FastAPI's handler."""
        handle, takes_body = super().get_route_handler(), self.body_field is not None

        async def guarded(request: Request) -> Response:
            # Nothing is read from a caller who is not known, nor from one who may not.
            _authorise(request, self.policy)
            if request.method in ("POST", "PUT") and (body := await request.body()):
                request._json = _read(request, body)
                if not takes_body and request._json not in (None, {}):
                    extra = {"place": "body", "code": "extra_forbidden"}
                    raise Problem(422, "body-invalid", errors=[extra])
            return await handle(request)

        return guarded


def _read(request: Request, body: bytes) -> Any:
    media = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media != "application/json":
        raise Problem(415, "content-type-unsupported")
    return parse(body)


class Router(APIRouter):
    """Routes that each name their policy and say what they answer."""

    def __init__(self, *, tags: Sequence[str] = ()) -> None:
        super().__init__(tags=list(tags))
        self.policies: dict[tuple[str, str], Policy] = {}

    def get(self, path: str, *, policy: Policy) -> Any:  # type: ignore[override]
        """A query."""
        return self._route("GET", path, policy, 200)

    def post(self, path: str, *, policy: Policy, status: int = 200) -> Any:  # type: ignore[override]
        """A command."""
        return self._route("POST", path, policy, status)

    def put(self, path: str, *, policy: Policy, status: int = 200) -> Any:  # type: ignore[override]
        """A command that replaces what a person edits."""
        return self._route("PUT", path, policy, status)

    def _route(self, method: str, path: str, policy: Policy, status: int) -> Any:
        self.policies[method, path] = policy
        extra: dict[str, Any] = {"x-telar-roles": sorted(policy.roles)}
        if method != "GET":
            extra["parameters"] = [_KEY_PARAMETER, _MATCH_PARAMETER]

        def register(endpoint: Callable[..., Any]) -> Callable[..., Any]:
            self.add_api_route(
                path,
                endpoint,
                methods=[method],
                status_code=status,
                response_model=_shown(endpoint),
                route_class_override=type("GuardedRoute", (GuardedRoute,), {"policy": policy}),
                openapi_extra=extra,
                operation_id=endpoint.__name__,
            )
            return endpoint

        return register


def _shown(endpoint: Callable[..., Any]) -> Any:
    answer = get_type_hints(endpoint)["return"]
    is_reply = getattr(answer, "__origin__", None) is Reply
    return get_args(answer)[0] if is_reply else answer


class Commander:
    """Runs the steps of one request as one intent, once per idempotency key."""

    def __init__(self, request: Request, idempotency: Idempotency, version: int | None) -> None:
        self._request, self.idempotency, self._version = request, idempotency, version
        self._runtime = request.app.state.runtime
        self.caller: Caller = request.state.caller
        self.person_id: str = request.state.person_id
        cause = new_id("request", idempotency.id)
        request.scope["telar.causation"] = cause
        self.context: Context = request.state.context._replace(cause=cause)

    def new_id(self, name: str) -> str:
        """An id that a repeat of this request makes again."""
        return self.context.new_id(name)

    async def run(self, *steps: Step, reply: Callable[[Any], BaseModel]) -> Any:
        """Fold and commit; answer with `reply` of the first `Do`'s aggregate, stored as bytes."""
        if self._runtime.publisher.overdue:
            raise Unavailable("backlog-full", retry_after=10)
        status = self._request.scope["route"].status_code or 200
        work = CommandWork(
            self.context,
            [*self._request.state.guards, *steps],
            lambda state: Stored(status, reply(state).model_dump_json().encode()),
            self.idempotency,
        )
        work.expected, work.confined_to = self._version, confined_to(self.caller)
        return await self.answer(work)

    async def repeated(self) -> Any:
        """The reply to this very command of before: asked by one that acts before it is stored."""
        found = await self._runtime.store.get(replies.COLLECTION, self.idempotency.id)
        earlier = self.idempotency.known(found)
        return response_of(earlier) if earlier else None

    async def answer(self, work: Answered) -> Any:
        """Fold and commit; answer with the bytes that are stored with it."""
        runtime, key = self._runtime, self.idempotency.id
        if not runtime.started:
            raise Unavailable("not-ready")
        if key in runtime.in_flight:
            raise Problem(409, "idempotency-in-progress", headers={"retry-after": "1"})
        runtime.in_flight.add(key)
        work.future.add_done_callback(lambda _: runtime.in_flight.discard(key))
        runtime.writer.submit([work])
        return response_of(await self._answer(work))

    async def _answer(self, work: Answered) -> Stored:
        try:
            async with asyncio.timeout(_patience(self._request.headers)):
                return await asyncio.shield(work.future)  # a caller that leaves cancels nothing
        except TimeoutError:
            self._runtime.writer.recall(work)
            if not work.future.done():
                raise Unavailable("outcome-unknown") from None
            return await work.future


def response_of(stored: Stored) -> Any:
    """A reply as it is stored, sent."""
    response = Response(stored.body, stored.status, media_type=stored.media_type)
    if stored.position:
        response.headers["telar-position"] = stored.position
    return response


def _patience(headers: Mapping[str, str]) -> float:
    asked = headers.get("telar-timeout-ms", "")
    if asked.isascii() and asked.isdecimal() and len(asked) < 7:
        return min(int(asked) / 1000, REPLY_DEADLINE)
    return REPLY_DEADLINE


async def _commander(request: Request) -> Commander:
    """The headers are read here: FastAPI's way of declaring them costs as much as the writer."""
    idempotency_key = request.headers.get("idempotency-key")
    if idempotency_key is None:
        raise Problem(400, "idempotency-key-missing")
    if not _KEY.fullmatch(idempotency_key):
        raise Problem(400, "idempotency-key-malformed")
    asked = f"{request.method} {request.scope['path']}\n".encode() + _canonical(request)
    caller = f"{request.state.caller.subject}/{request.state.person_id}"
    runtime = request.app.state.runtime
    if not runtime.secret:
        raise Unavailable("not-ready")  # a reply hashed without it could not be repeated
    idempotency = Idempotency.of(caller, idempotency_key, asked, runtime.secret)
    return Commander(request, idempotency, _version(request.headers.get("if-match")))


def _canonical(request: Request) -> bytes:
    body = getattr(request, "_json", None)
    return _ENCODER.encode(body).encode()


def _version(if_match: str | None) -> int | None:
    if if_match is None or if_match == "*":
        return None
    number = if_match.removeprefix("W/").strip('"')
    if not (number.isascii() and number.isdecimal() and len(number) < 18):
        raise Problem(400, "precondition-malformed")
    return int(number)


Intent = Annotated[Commander, Depends(_commander)]
