"""Orders while the views are swapped: answered once, whichever replica takes them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from services.gateway import generations
from services.gateway.keeping import change
from services.gateway.rebuild import Builder
from shared.chassis.audit import ORDERS
from shared.chassis.ports import StoreUnavailable
from tests.support.shared import SharedBus
from tests.support.wait import until
from tests.unit.gateway.replicas import SWAP, Place, Process, counted, ready

PASS = "/v1/operations/gateway/breaker/pass"
WHY, OTHER = {"reason": "a bad release"}, {"reason": "another reason"}


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], Awaitable[Any]]]:
    """What happens when the pointer was moved, right before what was left takes no more orders."""
    planned: list[Callable[[], Awaitable[Any]]] = []

    async def changed(store: Any, collection: str, doc_id: str, turn: Any) -> Any:
        while planned and collection == ORDERS:
            await planned.pop()()
        return await change(store, collection, doc_id, turn)

    monkeypatch.setattr(generations, "change", changed)
    return planned


@dataclass
class Pair:
    """Two that count one woman; the second finds no broker for what comes after the first views."""

    one: Process
    two: Process
    bus: SharedBus

    async def comes_back(self, place: Place) -> None:
        """The second finds the broker of all."""
        self.bus.logs = place.bus.logs
        self.bus.faults.come_back()
        await self.two.follows()


@pytest.fixture
async def pair(place: Place, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    monkeypatch.setattr(generations, "GRACE", timedelta(hours=1))
    bus, look = SharedBus(), Builder.look
    bus.faults.go_out()
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(place.process())
        two = await stack.enter_async_context(place.process(place.held(bus)))

        async def first(builder: Builder) -> None:
            if builder._host.runtime is not two.app.state.runtime:
                await look(builder)

        monkeypatch.setattr(Builder, "look", first)
        await place.women("ana")
        await counted(one, 1)
        yield Pair(one, two, bus)
        bus.faults.come_back()


async def repeated(process: Process, answer: bytes) -> None:
    """A repeat has the answer of before; with another body it is none."""
    repeat = await process.order(WHY, "pass-0001", path=PASS)
    assert (repeat.status_code, repeat.content) == (200, answer)
    other = await process.order(OTHER, "pass-0001", path=PASS)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")


async def test_what_was_left_takes_no_more_orders(place: Place, pair: Pair) -> None:
    one, two = pair.one, pair.two
    early = await two.order(WHY, "pass-0000", path=PASS)
    await one.order(SWAP)
    await one.built("swapped")
    assert two.group == "gateway"
    late = await two.order(WHY, "pass-0001", path=PASS)
    assert (late.status_code, late.json()["code"]) == (503, "not-ready")
    assert late.headers["retry-after"] == "1"
    assert (await two.order(WHY, "pass-0000", path=PASS)).content == early.content
    answer = await one.order(WHY, "pass-0001", path=PASS)
    assert answer.status_code == 200
    await pair.comes_back(place)
    await repeated(two, answer.content)


async def test_an_order_of_the_last_moment_is_known(pair: Pair, before: list[Any]) -> None:
    answers = []

    async def order() -> None:
        answers.append(await two.order(WHY, "pass-0001", path=PASS))

    one, two = pair.one, pair.two
    before.append(order)
    await one.order(SWAP)
    await one.built("swapped")
    assert one.group == "gateway-1"
    assert answers[0].status_code == 200
    await repeated(one, answers[0].content)


async def test_also_where_the_one_who_swapped_did_not_see_to_it(
    pair: Pair, before: list[Any]
) -> None:
    answers = []

    async def order_and_die() -> None:
        answers.append(await two.order(WHY, "pass-0001", path=PASS))
        raise StoreUnavailable

    one, two = pair.one, pair.two
    before.append(order_and_die)
    await one.order(SWAP)
    await one.follows()
    await repeated(one, answers[0].content)
    assert (await one.get("/v1/operations/gateway/rebuild"))["state"] == "swapped"


async def test_who_cannot_follow_shows_nothing_once_its_views_may_be_dropped(
    place: Place, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generations, "GRACE", timedelta(seconds=0.3))
    await pair.one.order(SWAP)

    async def dropped() -> bool:
        return not place.stores[0].all("people")

    await until(dropped, bool)
    seen = await pair.two.http.get("/v1/indicators/states")
    assert (seen.status_code, seen.json()["code"]) == (503, "not-ready")
    assert pair.two.app.state.runtime.stopping, "or every fact would be a gap to it"
    await pair.comes_back(place)
    await ready(pair.two.app)
    assert (await pair.two.http.get("/v1/indicators/states")).status_code == 200
