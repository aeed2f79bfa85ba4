"""What a log line says of where it belongs, and what it never says."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from shared.chassis import logging
from shared.chassis.memory.bus import MemoryBus
from tests.support import mini
from tests.support.app import Running, running
from tests.support.callers import TickingStore
from tests.support.logs import Line, captured
from tests.support.wait import until

pytestmark = pytest.mark.anyio

CORRELATION = "thread-of-this-test"
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def lines() -> Iterator[Callable[[], list[Line]]]:
    with captured("mini") as written:
        yield written


@pytest.fixture
async def library(
    tmp_path: Path, lines: Callable[[], list[Line]]
) -> AsyncIterator[tuple[Running, Running]]:
    bus = MemoryBus()
    async with (
        running(mini.SHELF, tmp_path, TickingStore(), bus) as shelf,
        running(mini.READER, tmp_path, TickingStore(), bus) as reader,
    ):
        yield shelf, reader


def headers() -> dict[str, str]:
    return {
        "idempotency-key": uuid.uuid4().hex,
        "correlation-id": CORRELATION,
        "traceparent": f"00-{TRACE}-b7ad6b7169203331-01",
    }


async def one_line(lines: Callable[[], list[Line]], message: str) -> Line:
    async def look() -> list[Line]:
        return [line for line in lines() if line["message"] == message]

    return (await until(look))[0]


async def test_a_line_of_a_request_says_which_thread_it_belongs_to(
    library: tuple[Running, Running], lines: Callable[[], list[Line]]
) -> None:
    shelf, _ = library
    answer = await shelf.http.post("/shelves/a/crash", headers=headers())
    assert answer.status_code == 500
    line = await one_line(lines, "request.failed")
    assert (line["service"], line["correlation"], line["trace"]) == ("mini", CORRELATION, TRACE)
    assert len(line["causation"]) == 36
    assert "event" not in line
    assert line["exception"][0]["exc_type"] == "ZeroDivisionError"


async def test_a_line_of_an_events_handling_names_the_event_and_its_thread(
    library: tuple[Running, Running], lines: Callable[[], list[Line]]
) -> None:
    shelf, _ = library
    mini.poison.add(13)
    body = {"reader_id": "ana", "number": 13}
    sent = headers()
    assert (await shelf.http.post("/shelves/a/loans", json=body, headers=sent)).status_code == 201
    line = await one_line(lines, "handler.failed")
    [event] = shelf.runtime.store.all("outbox")[0]["events"]  # type: ignore[attr-defined]
    told = {"event": event["id"], "causation": event["cause"], "correlation": CORRELATION}
    assert {name: line[name] for name in told} == told
    assert (line["trace"], line["service"]) == (TRACE, "mini")
    assert line["type"] == "telar.shelf.book-lent.v1"
    assert line["code"] == "ZeroDivisionError"
    assert line["where"].startswith("tests.support.mini.decide_card:")


async def test_a_line_outside_of_both_belongs_to_the_service_alone(
    library: tuple[Running, Running], lines: Callable[[], list[Line]]
) -> None:
    line = await one_line(lines, "service.started")
    assert line["service"] == "mini"
    assert not {"correlation", "causation", "event", "trace"} & line.keys()


async def test_what_an_error_says_may_quote_somebody_and_is_not_written(
    lines: Callable[[], list[Line]],
) -> None:
    import structlog

    log = structlog.get_logger("test")
    try:
        mini.Lending.model_validate({"reader_id": "ana", "number": "zcanaryz"})
    except ValueError:
        log.exception("it.failed")
    [line] = lines()
    assert line["exception"][0]["exc_type"] == "ValidationError"
    assert "zcanaryz" not in str(line)


def test_fields_are_asked_for_only_when_a_line_is_written() -> None:
    def never() -> dict[str, str]:
        raise AssertionError("asked")

    with logging.Inside(never):
        pass
