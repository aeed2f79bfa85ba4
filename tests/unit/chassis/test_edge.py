"""Whatever happens to a request, what goes out is a problem document with a stable code."""

import asyncio
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI, Request
from structlog.testing import capture_logs

from shared.chassis import edge
from shared.chassis.ports import BusError

RESET = RuntimeError("unable to perform operation on <TCPTransport>; the handler is closed")
"""What uvloop says of a connection that was reset."""


def app() -> FastAPI:
    app = FastAPI()
    edge.install(app)

    @app.get("/bus")
    async def bus() -> None:
        raise BusError("ends: KafkaConnectionError")

    @app.get("/hangs")
    async def hangs() -> None:
        await asyncio.Event().wait()

    @app.post("/size")
    async def size(request: Request) -> int:
        return len(await request.body())

    return app


def scope(method: str, path: str) -> dict[str, Any]:
    line = {"type": "http", "method": method, "path": path}
    return {**line, "query_string": b"", "headers": []}


async def test_a_question_to_a_broker_that_is_away_is_answered_503() -> None:
    transport = httpx2.ASGITransport(app=app())
    async with httpx2.AsyncClient(transport=transport, base_url="http://service") as http:
        answer = await http.get("/bus")
    assert (answer.status_code, answer.json()["code"]) == (503, "not-ready")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_request_that_a_stop_cuts_off_is_told_that_its_outcome_is_unknown() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    request = asyncio.create_task(app()(scope("GET", "/hangs"), receive, send))
    await asyncio.wait({request}, timeout=0.05)
    request.cancel()
    await asyncio.wait({request})
    assert request.cancelled()
    assert [one.get("status", one["type"]) for one in sent] == [503, "http.response.body"]
    assert b'"code":"outcome-unknown"' in sent[1]["body"]


async def test_a_caller_who_leaves_in_the_midst_of_a_body_is_no_fault_of_the_service() -> None:
    messages = iter([{"type": "http.request", "body": b"ab", "more_body": True}])

    async def receive() -> Any:
        return next(messages, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        raise AssertionError(message)

    with capture_logs() as logs:
        await app()(scope("POST", "/size"), receive, send)
    assert [(one["log_level"], one["event"]) for one in logs] == [("info", "request.left")]


@pytest.mark.parametrize("begun", [True, False])
async def test_an_answer_to_a_caller_who_has_left_is_no_fault_of_the_service(begun: bool) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"ab"}

    async def send(message: Any) -> None:
        if len(sent) == begun:
            raise RESET
        sent.append(message)

    with capture_logs() as logs:
        await app()(scope("POST", "/size"), receive, send)
    assert [(one["log_level"], one["event"]) for one in logs] == [("info", "request.left")]
    assert len(sent) == begun


async def test_a_refusal_of_its_own_to_a_caller_who_has_left_ends_there() -> None:
    async def receive() -> Any:
        raise AssertionError

    async def send(message: Any) -> None:
        raise RESET

    announced = scope("POST", "/size") | {"headers": [(b"content-length", b"9999999999")]}
    with capture_logs() as logs:
        await app()(announced, receive, send)
    assert logs == []
