"""Whatever happens to a request, what goes out is a problem document with a stable code."""

import asyncio
from typing import Any

import httpx2
from fastapi import FastAPI

from shared.chassis import edge
from shared.chassis.ports import BusError


def app() -> FastAPI:
    app = FastAPI()
    edge.install(app)

    @app.get("/bus")
    async def bus() -> None:
        raise BusError("ends: KafkaConnectionError")

    @app.get("/hangs")
    async def hangs() -> None:
        await asyncio.Event().wait()

    return app


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

    request_line = {"type": "http", "method": "GET", "path": "/hangs"}
    scope: dict[str, Any] = {**request_line, "query_string": b"", "headers": []}
    request = asyncio.create_task(app()(scope, receive, send))
    await asyncio.wait({request}, timeout=0.05)
    request.cancel()
    await asyncio.wait({request})
    assert request.cancelled()
    assert [one.get("status", one["type"]) for one in sent] == [503, "http.response.body"]
    assert b'"code":"outcome-unknown"' in sent[1]["body"]
