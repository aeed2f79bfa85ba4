"""Views made anew beside the live ones: by whom, when they are swapped, and what is left."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from services.gateway import compare, generations, rebuild
from services.gateway.app import SERVICE
from services.gateway.settings import Settings
from services.gateway.store import counters
from shared.chassis.envelope import encode, encode_value, envelope, short
from shared.chassis.ports import Bus, Store, StoreUnavailable
from shared.chassis.streams import fresh, number
from shared.chassis.tokens import Issuer
from shared.events import enrollment, grants
from shared.model import Event
from tests.support.shared import SharedBus, SharedStore
from tests.support.spec import NOON, context
from tests.support.wait import until

PATH = "/v1/operations/gateway/rebuild"
SWAP, COMPARE = {"reason": "views differ"}, {"reason": "is all well", "mode": "compare"}


@dataclass
class Process:
    """One replica of the gateway."""

    app: FastAPI
    http: httpx2.AsyncClient

    async def get(self, path: str) -> Any:
        return (await self.http.get(path)).json()

    async def order(self, body: Any, key: str = "order-0001") -> httpx2.Response:
        return await self.http.post(PATH, json=body, headers={"idempotency-key": key})

    async def built(self, *states: str) -> dict[str, Any]:
        return await until(lambda: self.get(PATH), lambda seen: seen.get("state") in states)

    @property
    def group(self) -> str:
        group: str = self.app.state.runtime.group
        return group

    async def paid(self) -> int:
        """How many are counted as registered and as paid: so few women the API does not show."""
        sums: Counter[str] = Counter()
        async for part in counters(self.app.state.runtime.store):
            sums.update(part.counts)
        return min(sums["registered"], sums["payments_confirmed"])


@dataclass
class Place:
    """Databases and a bus, and the replicas that run on them."""

    folder: Path
    stores: dict[int, SharedStore] = field(default_factory=dict)
    bus: SharedBus = field(default_factory=SharedBus)
    streams: dict[str, Any] = field(default_factory=dict)
    sent: int = 0

    def connect(self, generation: int) -> tuple[Store, Bus]:
        return self.stores.setdefault(generation, SharedStore()), self.bus

    @asynccontextmanager
    async def process(self) -> AsyncIterator[Process]:
        issuer = Issuer(self.folder / "keys")
        issuer.ensure()
        keys = self.folder / "keys"
        settings = Settings(jwks=keys / "jwks.json", issuer=keys, partitions=2)
        app = SERVICE.app(settings, connect=self.connect)
        headers = {"authorization": f"Bearer {issuer.access_token('op-1', ['operator'])}"}
        transport = httpx2.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(
                transport=transport, base_url="http://gateway", headers=headers
            ) as http,
        ):
            process = Process(app, http)
            await ready(app)
            yield process

    async def publish(self, *events: Event) -> None:
        """What the services would have sent."""
        producer = await self.bus.producer()
        for event in events:
            self.sent += 1
            now = context(NOON + timedelta(minutes=self.sent), cause=f"cause-{self.sent}")
            unnumbered = envelope(event, encode_value(event), f"event-{self.sent}", now)
            place = f"{short(unnumbered.topic)}/{event.stream_key}"
            stream = self.streams.get(place) or fresh(event.stream_key)
            self.streams[place], sealed = number(stream, unnumbered)
            await producer.send([encode(sealed)], 5.0)

    async def women(self, *names: str) -> None:
        """Each registers in a state, and is paid."""
        for name in names:
            await self.publish(registered(name), paid(name))

    def views(self, generation: int) -> dict[str, Any]:
        """The views without their versions."""
        return {
            name: {one["_id"]: one | {"version": 0} for one in self.stores[generation].all(name)}
            for name in ("people", "timeline")
        }


async def ready(app: FastAPI) -> None:
    """Whichever runtime is the live one by then."""

    async def faults() -> list[str]:
        found: list[str] = await app.state.runtime.faults()
        return found

    await until(faults, lambda seen: not seen)


def registered(name: str) -> Event:
    return enrollment.PersonRegistered(
        person_id=name, state="20", municipality="20067", rural_class="rural"
    )


def paid(name: str) -> Event:
    return grants.PaymentConfirmed(
        person_id=name, payment_id=f"p-{name}", award_id="a1", tranche=1, amount=5
    )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(generations, "GLANCE", 0.02)
    monkeypatch.setattr(generations, "LEAVE", 0.02)
    monkeypatch.setattr(generations, "GRACE", timedelta(seconds=0.3))
    monkeypatch.setattr(rebuild, "GLANCE", 0.01)
    monkeypatch.setattr(compare, "PAUSE", 0.01)
    return Place(tmp_path)


async def counted(process: Process, many: int) -> None:
    await until(process.paid, lambda seen: seen == many)


async def test_views_are_made_anew_and_swapped_while_facts_arrive(place: Place) -> None:
    async with place.process() as process:
        await place.women("ana", "bea", "eva")
        await counted(process, 3)
        assert (await process.order(SWAP)).status_code == 202
        await place.women("ida", "lea")
        seen = await process.built("swapped")
        assert (seen["generation"], seen["behind"]) == (1, 0)
        assert process.group == "gateway-1"
        await counted(process, 5)
        await place.women("zoe")
        await counted(process, 6)
        assert len(place.views(1)["timeline"]) == 12


async def test_what_was_left_is_dropped_and_the_audit_goes_along(place: Place) -> None:
    async with place.process() as process:
        await place.women("ana")
        await counted(process, 1)
        await process.order(SWAP)
        await process.built("swapped")

        async def left() -> list[str]:
            return [name for name, rows in place.stores[0].data.items() if rows]

        await until(left, lambda names: names == ["generations"])
        [entry] = (await process.get("/v1/operations/gateway/audit"))["items"]
        assert (entry["action"], entry["actor"], entry["reason"]) == (
            "rebuild",
            "op-1",
            "views differ",
        )
        again = await process.order(SWAP)
        assert again.status_code == 202
        assert (await process.get(PATH))["state"] == "swapped", "a repeat starts nothing"
        await process.order(SWAP, key="order-0002")
        await until(lambda: process.get(PATH), lambda seen: seen["generation"] == 2)
        await process.built("swapped")
        await counted(process, 1)


async def test_views_can_be_made_anew_again_before_what_was_left_is_dropped(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "GRACE", timedelta(hours=1))
    async with place.process() as process:
        await place.women("ana")
        await counted(process, 1)
        for number in (1, 2):
            await process.order(SWAP, key=f"order-000{number}")
            await until(
                lambda: process.get(PATH),
                lambda seen, number=number: (
                    (seen["generation"], seen["state"]) == (number, "swapped")
                ),
            )
        await counted(process, 1)
        [pointer] = place.stores[0].all("generations")
        assert [one["generation"] for one in pointer["left"]] == [0, 1]


async def test_comparing_names_what_differs_and_changes_nothing(place: Place) -> None:
    async with place.process() as process:
        await place.women("ana", "bea", "eva")
        await counted(process, 3)
        damaged = place.stores[0].data["people"]["ana"] | {"counts": {"registered": 7}}
        changes = {
            ("people", "ana"): damaged,
            ("timeline", "bea/grants/000000000001"): None,
        }
        place.stores[0].apply(changes)
        parts = place.stores[0].data["counters"].values()
        counter = next(part for part in parts if part["state"] == "20")
        counter = counter | {"counts": counter["counts"] | {"registered": 9}}
        place.stores[0].apply({("counters", counter["_id"]): counter})
        await process.order(COMPARE)
        seen = await process.built("compared")
        found = {(one["collection"], one["id"]): one["what"] for one in seen["differences"]}
        assert found == {
            ("people", "ana"): "counts",
            ("timeline", "bea/grants/000000000001"): "missing in the live view",
            ("counters", "20"): "registered",
        }
        assert seen["unsettled"] == []
        assert process.group == "gateway"
        assert not any(place.stores[1].data.values()), "what was built is gone"


async def test_what_compared_clean_says_so_also_with_facts_arriving(place: Place) -> None:
    async with place.process() as process:
        await place.women("ana", "bea")
        await counted(process, 2)
        names = [f"w{number}" for number in range(60)]
        await process.order(COMPARE)
        await place.women(*names)
        seen = await process.built("compared")
        assert seen["differences"] == []
        assert seen["compared"] > 0


async def test_a_rebuild_mends_what_differs(place: Place) -> None:
    async with place.process() as process:
        await place.women("ana")
        await counted(process, 1)

        async def entries() -> int:
            return len(place.views(0)["timeline"])

        await until(entries, lambda many: many == 2)  # enrollment's fact of her, and grants'
        before = place.views(0)
        place.stores[0].apply({("people", "ana"): None})
        await process.order(SWAP)
        await process.built("swapped")
        assert place.views(1) == before


async def test_one_at_a_time(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "GLANCE", 60.0)
    async with place.process() as process:
        await place.women("ana")
        await counted(process, 1)
        place.bus.logs = {where: [] for where in place.bus.logs}
        await process.order(SWAP)
        refused = await process.order(SWAP, key="order-0002")
        assert (refused.status_code, refused.json()["code"]) == (409, "rebuild-in-progress")


async def test_what_cannot_catch_up_is_given_up_and_named(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "STUCK", 0.5)
    async with place.process() as process:
        await place.women("ana")
        await counted(process, 1)
        place.bus.logs = {where: [] for where in place.bus.logs}
        await process.order(SWAP)
        seen = await process.built("failed")
        assert seen["code"] == "rebuild-behind"
        assert {one["what"] for one in seen["differences"]} == {
            "enrollment at 0 of 1",
            "grants at 0 of 1",
        }
        assert process.group == "gateway"
        assert not any(place.stores[1].data.values())


async def test_every_replica_follows(place: Place) -> None:
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(place.process()) for _ in range(2)]
        await place.women("ana", "bea")
        await counted(one, 2)
        await one.order(SWAP)
        for process in (one, two):
            await until(_group_of(process), lambda group: group == "gateway-1")
        await place.women("eva")
        await counted(one, 3)
        await counted(two, 3)


def _group_of(process: Process) -> Any:
    async def group() -> str:
        return process.group

    return group


async def test_a_new_process_begins_with_the_live_generation(place: Place) -> None:
    async with place.process() as process:
        await place.women("ana")
        await counted(process, 1)
        await process.order(SWAP)
        await process.built("swapped")
    async with place.process() as process:
        assert process.group == "gateway-1"
        await counted(process, 1)


async def test_a_build_whose_process_died_is_finished_by_another(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "SILENT", timedelta(seconds=0.3))
    async with place.process() as process:
        await place.women("ana", "bea")
        await counted(process, 2)
        kept = place.bus.logs
        place.bus.logs = {where: [] for where in kept}
        await process.order(SWAP)
        await until(
            lambda: process.get(PATH), lambda seen: seen["generation"] == 1 and seen["behind"]
        )
    place.bus.logs = kept
    async with place.process() as process:
        assert process.group == "gateway", "the half-built one is not live"
        await process.built("swapped")
        await counted(process, 2)
        assert process.group == "gateway-1"


async def test_until_it_is_known_what_is_live_nothing_is_shown(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = place.stores[0] = SharedStore()
    gate = asyncio.Event()
    store.faults.meanwhile("get", gate.wait)
    app = SERVICE.app(Settings(jwks=place.folder / "keys" / "jwks.json"), connect=place.connect)
    issuer = Issuer(place.folder / "keys")
    issuer.ensure()
    headers = {"authorization": f"Bearer {issuer.access_token('op-1', ['operator'])}"}
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://g", headers=headers) as http,
    ):
        early = await http.get("/v1/indicators/states")
        assert (early.status_code, early.json()["code"]) == (503, "not-ready")
        gate.set()
        await ready(app)
        assert (await http.get("/v1/indicators/states")).status_code == 200


async def test_a_store_that_is_away_for_a_while_only_delays(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild, "SILENT", timedelta(seconds=0.2))
    async with place.process() as process:
        await place.women("ana")
        await counted(process, 1)
        place.stores[1] = SharedStore()
        place.stores[1].faults.fail_next("totals", StoreUnavailable)
        await process.order(SWAP)
        await process.built("swapped")
        await counted(process, 1)


@pytest.mark.parametrize("body", [{}, {"reason": "no"}, {"reason": "good", "mode": "best"}])
async def test_an_order_without_a_reason_or_of_no_kind_is_refused(place: Place, body: Any) -> None:
    async with place.process() as process:
        assert (await process.order(body)).status_code == 422
        assert (await process.http.get(PATH)).json()["code"] == "rebuild-unknown"
