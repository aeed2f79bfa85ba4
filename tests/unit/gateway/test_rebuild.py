"""Views made anew beside the live ones: by whom, when they are swapped, and what is left."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from services.gateway import generations, rebuild
from services.gateway.app import SERVICE
from services.gateway.settings import Settings
from shared.chassis.ports import StoreUnavailable
from shared.chassis.tokens import Issuer
from tests.support.shared import SharedStore
from tests.support.wait import until
from tests.unit.gateway.replicas import COMPARE, PATH, SWAP, Place, counted, ready


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

        async def entries() -> int:
            return len(place.views(1)["timeline"])

        await until(entries, lambda many: many == 12)  # what she was paid may come later


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


async def test_what_was_let_go_and_let_pass_goes_along_once(place: Place) -> None:
    """An operator who takes it back in the new generation has the last word."""
    async with place.process() as process:
        note = {("let_go", "digest"): {"_id": "digest", "version": 1}}
        place.stores[0].apply(note)
        why = {"reason": "a bad release"}
        await process.order(why, "pass-0001", path="/v1/operations/gateway/breaker/pass")
        await process.order(SWAP)
        await process.built("swapped")
        assert place.stores[1].all("let_go")
        assert place.stores[1].all("breaker")
        place.stores[1].apply(dict.fromkeys(note))

        async def left() -> bool:
            return bool(place.stores[0].all("let_go"))

        await until(left, lambda seen: not seen)
        assert not place.stores[1].all("let_go")


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


async def test_every_replica_follows(place: Place) -> None:
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(place.process()) for _ in range(2)]
        await place.women("ana", "bea")
        await counted(one, 2)
        await one.order(SWAP)
        for process in (one, two):
            await process.follows()
        await place.women("eva")
        await counted(one, 3)
        await counted(two, 3)


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
