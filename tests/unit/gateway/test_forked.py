"""Views are made anew although a foreign record stays in a topic for ever."""

from typing import Any

import pytest

from services.gateway import rebuild
from services.gateway.rebuild import Builder
from shared.chassis.envelope import Envelope, encode, encode_value, envelope
from shared.chassis.runtime import Runtime
from shared.chassis.streams import fresh, number
from tests.support.spec import NOON, context
from tests.support.wait import until
from tests.unit.gateway.replicas import SWAP, Place, Process, counted, paid, registered

WHICH = {"topic": "telar.grants", "key": "ana", "reason": "foreign record in the topic"}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild, "STUCK", 0.5)


def foreign() -> Envelope:
    """A first payment that grants knows nothing of."""
    event = paid("ana").model_copy(update={"amount": 99})
    unnumbered = envelope(event, encode_value(event), "foreign-1", context(NOON, cause="foreign"))
    return number(fresh("ana"), unnumbered)[1]


async def send(place: Place, record: Envelope) -> None:
    await (await place.bus.producer()).send([encode(record)], 5.0)


async def parked(process: Process) -> list[str]:
    found = (await process.get("/v1/operations/gateway/parked"))["items"]
    return [one["reason"] for one in found]


async def adopt(process: Process, **how: Any) -> None:
    """End the fork, once it is seen."""
    await until(lambda: parked(process), lambda seen: seen == ["fork"])
    path, headers = "/v1/operations/gateway/adopt", {"idempotency-key": "adopt-0001"}
    assert (await process.http.post(path, json=WHICH | how, headers=headers)).status_code == 200


async def let_go(place: Place, process: Process) -> None:
    """A foreign record beside her first payment."""
    await place.women("ana")
    await counted(process, 1)
    await send(place, foreign())
    await adopt(process, branch="kept")


async def give_up(place: Place, process: Process) -> None:
    """A foreign record before her first payment: it is applied, and is to go."""
    await send(place, foreign())
    await place.publish(registered("ana"))
    await counted(process, 1)
    await place.publish(paid("ana"))
    await adopt(process, branch="arrived", sequence=1)


@pytest.mark.parametrize("more", [0, 1])
async def test_what_was_let_go_keeps_no_build_from_its_end_and_forks_nothing_anew(
    place: Place, more: int
) -> None:
    async with place.process() as process:
        await let_go(place, process)
        for _ in range(more):
            await place.publish(paid("ana"))
        for generation in (1, 2):  # what was let go goes along, as often as it must
            await process.order(SWAP, key=f"order-000{generation}")
            await process.built("swapped", "failed")
            assert process.group == f"gateway-{generation}"
            await place.publish(paid("ana"))
            await until(
                lambda: applied(process),
                lambda seen, want=1 + more + generation: seen == want,
            )
            assert [one for one in await parked(process) if one == "fork"] == []


async def applied(process: Process) -> int:
    stream = await process.app.state.runtime.store.get("streams", "ana")
    position: int = stream["in"]["grants"][0]
    return position


async def test_a_build_that_a_fork_keeps_from_its_end_says_so(place: Place) -> None:
    """The foreign one was applied first, and so it is again."""
    async with place.process() as process:
        await give_up(place, process)
        await place.publish(paid("ana"))
        await until(lambda: applied(process), lambda seen: seen == 2)
        await process.order(SWAP)
        seen = await process.built("swapped", "failed")
        assert (seen["state"], seen["code"]) == ("failed", "rebuild-forked")
        assert seen["differences"] == [
            {"collection": "streams", "id": "ana", "what": "grants at 1 of 2"}
        ]


async def test_a_build_that_applies_the_branch_that_was_given_up_is_none(place: Place) -> None:
    """As many events are not the same events."""
    async with place.process() as process:
        await give_up(place, process)
        await process.order(SWAP)
        seen = await process.built("swapped", "failed")
        assert (seen["state"], seen["code"]) == ("failed", "rebuild-forked")
        assert seen["differences"] == [
            {"collection": "streams", "id": "ana", "what": "grants at 1 of 1, another branch"}
        ]


async def test_a_fork_that_was_ended_during_a_build_is_not_there_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    caught_up = Builder._catch_up

    async def after_the_order(builder: Builder, new: Runtime, live: Runtime) -> None:
        async def forked() -> list[str]:
            return [one["reason"] for one in place.stores[1].all("parked")]

        await until(forked, lambda seen: seen == ["fork"])
        await adopt(process, branch="kept")
        await caught_up(builder, new, live)

    async with place.process() as process:
        await place.women("ana")
        await counted(process, 1)
        await send(place, foreign())
        await until(lambda: parked(process), lambda seen: seen == ["fork"])
        with monkeypatch.context() as during:
            during.setattr(Builder, "_catch_up", after_the_order)
            await process.order(SWAP)
            seen = await process.built("swapped", "failed")
        assert (seen["state"], seen["code"]) == ("failed", "rebuild-forked")
        assert [one["what"] for one in seen["differences"]] == ["grants at 1 of 1, waiting"]
        await process.order(SWAP, key="order-0002")
        await process.built("swapped")
        assert await parked(process) == []
