"""One correlation through the whole platform: HTTP, outbox, Kafka, the next service, and on."""

import asyncio
import json
from typing import Any

from deploy.local.platform import Platform
from tests.e2e.api import Api
from tests.e2e.outside import Outside
from tests.e2e.scenes import Programme
from tests.support.wait import until

CORRELATION = "one-thread-of-e2e"
TRACE = "0af7651916cd43dd8448eb211c80319c"


def sealed(outside: Outside, service: str, key: str, kind: str) -> list[dict[str, Any]]:
    """Events of a key and kind in a service's outbox."""
    return [
        event
        for one in outside.collection(service, "outbox")
        for event in one["events"]
        if event["key"] == key and event["type"] == f"telar.{service}.{kind}.v1"
    ]


async def in_kafka(outside: Outside, service: str, event: dict[str, Any]) -> dict[str, str]:
    """The attributes of an event, once it stands in its topic."""

    async def look() -> dict[str, str]:
        found = await outside.headers(service, event["key"])
        return next((one for one in found if one["ce_id"] == event["id"]), {})

    return await until(look)


async def test_the_correlation_of_a_call_reaches_what_follows_from_it(
    api: Api, outside: Outside
) -> None:
    programme = await Programme(api).publish()
    ana = await programme.woman(admitted=False)
    path = f"/enrolments/{ana.enrolment_id}/admission"
    named = {"correlation_id": CORRELATION, "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    answer = await api("intake-1", "intake").ask(path, {}, **named)
    assert (answer.status, answer.headers["correlation-id"]) == (200, CORRELATION)

    [enrolled] = sealed(outside, "enrollment", ana.id, "applicant-enrolled")
    assert enrolled["correlation"] == CORRELATION
    assert TRACE in enrolled["traceparent"]
    headers = await in_kafka(outside, "enrollment", enrolled)
    assert headers["ce_correlationid"] == CORRELATION
    assert headers["ce_causationid"] == enrolled["cause"]
    assert TRACE in headers["ce_traceparent"]

    async def effects() -> list[dict[str, Any]]:
        return await asyncio.to_thread(sealed, outside, "trade", ana.id, "readiness-assessed")

    [assessed] = await until(effects)
    assert (assessed["correlation"], assessed["cause"]) == (CORRELATION, enrolled["id"])
    assert TRACE in assessed["traceparent"]
    headers = await in_kafka(outside, "trade", assessed)
    assert (headers["ce_causationid"], headers["ce_correlationid"]) == (enrolled["id"], CORRELATION)


async def test_a_log_line_of_a_call_carries_its_thread(platform: Platform, api: Api) -> None:
    platform.hold("trade")
    try:
        named = {"correlation_id": CORRELATION, "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
        answer = await api("ana", "applicant").ask("/places", {"fair_id": "x"}, **named)
        assert (answer.status, answer.code) == (503, "upstream-unavailable")
    finally:
        platform.release("trade")
        platform.wait_ready()
    lines = [json.loads(line) for line in _log(platform, "gateway") if CORRELATION in line]
    told = {"service": "gateway", "correlation": CORRELATION, "trace": TRACE}
    assert lines
    assert all(told.items() <= line.items() for line in lines)
    assert {line["message"] for line in lines} == {"upstream.failed"}


def _log(platform: Platform, name: str) -> list[str]:
    return [
        line
        for file in sorted(platform.folders.logs.glob(f"{name}*.log"))
        for line in file.read_text("utf-8").splitlines()
    ]
