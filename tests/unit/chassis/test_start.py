"""What a service does between its first breath and its readiness."""

import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from httpx2 import ASGITransport, AsyncClient

from shared.chassis import tail
from shared.chassis.envelope import encode
from shared.chassis.memory import MemoryBus
from shared.chassis.ports import Record
from shared.chassis.tokens import Issuer
from tests.integration.core_suite import chain
from tests.integration.repair_suite import SHELF
from tests.support import mini
from tests.support.app import Running, running
from tests.support.wait import until
from tests.unit.chassis.test_core import Ticking


class LastingBus(MemoryBus):
    """It outlives the services that use it."""

    async def close(self) -> None:
        pass


async def test_a_command_before_the_service_is_ready_can_be_repeated_after(tmp_path: Path) -> None:
    issuer, store = Issuer(tmp_path), Ticking()
    issuer.ensure()
    store.faults.go_out()
    app = mini.SHELF.app(mini.Settings(jwks=tmp_path / "jwks.json"), store, MemoryBus())
    headers = {
        "authorization": f"Bearer {issuer.access_token('op-1', ['operator'])}",
        "idempotency-key": uuid.uuid4().hex,
    }
    body = {"reader_id": "ana", "number": 3}
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=ASGITransport(app=app), base_url="http://shelf") as http,
    ):
        early = await http.post("/shelves/s/loans", json=body, headers=headers)
        assert (early.status_code, early.json()["code"]) == (503, "not-ready")
        store.faults.come_back()
        await until(app.state.runtime.faults, lambda faults: "starting" not in faults)
        answers = [await http.post("/shelves/s/loans", json=body, headers=headers) for _ in "12"]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert (await http.get("/shelves/s", headers=headers)).json()["lent"] == 3


async def test_a_service_with_an_empty_store_reads_from_the_start_whatever_its_group_noted(
    tmp_path: Path,
) -> None:
    bus, events = LastingBus(), [encode(event) for event in chain("ana", 1, 2, 3)]

    async def card(reader: Running, loans: list[int]) -> None:
        await until(lambda: reader.json("/cards/ana"), lambda card: card.get("loans") == loans)

    async with running(mini.READER, tmp_path, Ticking(), bus) as reader:
        await (await bus.producer()).send(events[:2], 5.0)
        await card(reader, [1, 2])
    assert any(bus.offsets.values())
    async with running(mini.READER, tmp_path, Ticking(), bus) as restored:
        await (await bus.producer()).send(events[2:], 5.0)
        await card(restored, [1, 2, 3])


async def test_a_topic_that_its_broker_lost_is_made_and_filled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "ASK_EVERY", 0.05)
    monkeypatch.setattr(tail, "LOOK_EVERY", timedelta(milliseconds=50))
    bus = MemoryBus()
    async with running(mini.SHELF, tmp_path, Ticking(), bus) as shelf:
        await shelf.post("/shelves/s/loans", {"reader_id": "ana", "number": 3})
        await until(
            lambda: shelf.json("/operations/shelf"), lambda seen: not seen["backlog"]["outbox"]
        )
        (before,) = bus.records(SHELF)
        bus.logs.clear()

        async def there() -> list[Record]:
            return bus.records(SHELF)

        assert [one.value for one in await until(there)] == [before.value]
