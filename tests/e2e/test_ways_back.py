"""The way forward and each way back, on the whole platform, read from outside."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.e2e.api import Api
from tests.e2e.outside import BUCKETS, Outside, violations
from tests.e2e.scenes import AMOUNT, Programme, Woman
from tests.support.wait import until


class Watch:
    """Looks at the databases and topics until they are as they must be."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    async def becomes(self, service: str, name: str, doc_id: str, **fields: Any) -> None:
        """Wait until these fields of a document have these values."""

        async def look() -> dict[str, Any]:
            found = await asyncio.to_thread(self._outside.one, service, name, doc_id)
            return {name: found.get(name) for name in fields}

        await until(look, lambda seen: seen == fields)

    async def tells(self, service: str, key: str, fact: str, **fields: Any) -> None:
        """Wait until such a fact stands in Kafka."""

        async def look() -> list[tuple[str, dict[str, Any]]]:
            return await self._outside.facts(service, key)

        def told(facts: list[tuple[str, dict[str, Any]]]) -> bool:
            return any(kind == fact and fields.items() <= value.items() for kind, value in facts)

        await until(look, told)

    async def pool(self, pool_id: str, *balances: int) -> None:
        """Wait until a pool has so much available, reserved, committed, disbursed."""
        expected = dict(zip(BUCKETS, balances, strict=True))
        await self.becomes("grants", "pools", pool_id, balances=expected)


@pytest.fixture
async def watch(outside: Outside) -> AsyncIterator[Watch]:
    """And at the end of every test each invariant holds."""
    yield Watch(outside)
    await until(lambda: violations(outside), lambda found: not found)


async def test_a_woman_goes_from_the_call_to_the_fair(api: Api, watch: Watch) -> None:
    programme = await Programme(api).publish()
    ana = await programme.woman()
    assert await ana.ask_seat() == "confirmed"
    assert await ana.win() == "offered"
    await ana.accept_award()
    await ana.complete()
    await watch.becomes("grants", "awards", ana.award_id, tranche_states=["ready"])
    await pay_all(ana)
    await watch.pool(programme.pool_id, 0, 0, 0, AMOUNT)
    assert await ana.ask_place() == "offered"
    await ana.do(f"/places/{ana.place_id}/confirmation")
    await watch.becomes("trade", "places", ana.place_id, status="confirmed")
    await watch.tells("training", ana.id, "certificate-issued", course_id=programme.course_id)
    await watch.tells("trade", ana.id, "readiness-assessed", met=True)
    await until(lambda: told(api, ana), lambda facts: "place-confirmed" in facts["trade"])
    facts = await told(api, ana)
    assert {"enrollment", "training", "grants", "trade"} == facts.keys()
    assert facts["grants"].count("payment-confirmed") == 2


async def told(api: Api, woman: Woman) -> dict[str, list[str]]:
    """Her timeline, as the gateway tells it: facts by service, in order."""
    path = f"/persons/{woman.id}/timeline"
    facts: dict[str, list[str]] = {"trade": []}
    for one in (await api("olga", "auditor").get(path, limit="100")).body["items"]:
        facts.setdefault(one["service"], []).append(one["fact"])
    return facts


async def pay_all(woman: Woman) -> None:
    """The treasury pays both parts of her award."""
    treasurer = woman.officer("treasurer")
    for number in (1, 2):
        sent = await treasurer.do(f"/awards/{woman.award_id}/tranches/{number}/payment")
        await treasurer.do(f"/payments/{sent['tranches'][number - 1]['payment_id']}/confirmation")


async def test_a_withdrawal_undoes_all_of_hers_and_the_next_in_line_moves_up(
    api: Api, watch: Watch
) -> None:
    programme = await Programme(api).publish()
    ana, eva = await programme.women(2)
    assert [await one.ask_seat() for one in (ana, eva)] == ["confirmed", "waitlisted"]
    assert [await one.win() for one in (ana, eva)] == ["offered", "waitlisted"]
    assert [await one.ask_place() for one in (ana, eva)] == ["offered", "waitlisted"]
    await watch.pool(programme.pool_id, 0, AMOUNT, 0, 0)
    await ana.withdraw()
    left = {"reason_code": "enrolment-withdrawn"}
    await watch.becomes("training", "seats", ana.seat_id, status="dropped", **left)
    await watch.becomes("grants", "awards", ana.award_id, status="cancelled", **left)
    await watch.becomes("trade", "places", ana.place_id, status="withdrawn", **left)
    await watch.tells("grants", programme.pool_id, "funds-released", award_id=ana.award_id)
    await watch.becomes("training", "seats", eva.seat_id, status="offered")
    await watch.becomes("grants", "awards", eva.award_id, status="offered")
    await watch.becomes("trade", "places", eva.place_id, status="offered")
    await watch.pool(programme.pool_id, 0, AMOUNT, 0, 0)
    await eva.do(f"/seats/{eva.seat_id}/acceptance")
    await eva.accept_award()
    await eva.do(f"/places/{eva.place_id}/confirmation")
    await watch.pool(programme.pool_id, 0, 0, AMOUNT, 0)
    assert await ana.refused(f"/awards/{ana.award_id}/acceptance") == "award-was-cancelled"


async def test_a_withdrawal_takes_an_application_back_that_nobody_decided(
    api: Api, watch: Watch
) -> None:
    programme = await Programme(api).publish()
    ana = await programme.woman()
    assert await ana.apply() == "submitted"
    await ana.withdraw()
    await watch.becomes("grants", "applications", ana.award_id, status="withdrawn")
    await watch.tells("grants", ana.id, "application-withdrawn", round_id=programme.round_id)
    await watch.pool(programme.pool_id, AMOUNT, 0, 0, 0)


async def test_what_was_accepted_and_not_paid_is_held_when_she_withdraws(
    api: Api, watch: Watch
) -> None:
    programme = await Programme(api).publish()
    ana = await programme.woman()
    await ana.win()
    await ana.accept_award()
    await ana.withdraw()
    held = ["held"]
    await watch.becomes("grants", "awards", ana.award_id, stopped=True, tranche_states=held)
    await watch.pool(programme.pool_id, 0, 0, AMOUNT, 0)  # promised still: an approver returns it
    approver = ana.officer("approver")
    for number in (1, 2):
        await approver.do(f"/awards/{ana.award_id}/tranches/{number}/return")
    await watch.pool(programme.pool_id, AMOUNT, 0, 0, 0)


async def test_a_revoked_completion_holds_the_tranche_and_ends_her_readiness(
    api: Api, watch: Watch
) -> None:
    programme = await Programme(api).publish()
    ana = await programme.woman()
    await ana.ask_seat()
    await ana.win()
    await ana.accept_award()
    await ana.complete()
    await watch.becomes("grants", "awards", ana.award_id, tranche_states=["ready"])
    await watch.tells("trade", ana.id, "readiness-assessed", met=True)
    certificate = f"{ana.id}:{programme.course_id}"
    reason = {"reason_code": "attendance-misrecorded"}
    await ana.officer("trainer").do(f"/certificates/{certificate}/revocation", reason)
    await watch.becomes("training", "certificates", certificate, status="revoked")
    await watch.becomes("grants", "awards", ana.award_id, tranche_states=["held", "ready"])
    await watch.becomes("trade", "readiness", ana.id, certified=[])
    await watch.tells("trade", ana.id, "readiness-assessed", met=False)
    pay = await ana.officer("treasurer").ask(f"/awards/{ana.award_id}/tranches/2/payment")
    assert (pay.status, pay.code) == (409, "tranche-on-hold")


async def test_a_seat_offered_in_vain_goes_to_the_next_in_rank(api: Api, watch: Watch) -> None:
    programme = await Programme(api, offer_seconds=2).publish()
    ana, eva, mia = await programme.women(3)
    stand = [await one.ask_seat() for one in (ana, eva, mia)]
    assert stand == ["confirmed", "waitlisted", "waitlisted"]
    await ana.do(f"/seats/{ana.seat_id}/cancellation", {"reason_code": "care-duties"})
    await watch.tells("training", eva.id, "seat-promoted", seat_id=eva.seat_id)
    await watch.becomes("training", "seats", eva.seat_id, status="expired")
    assert await eva.refused(f"/seats/{eva.seat_id}/acceptance") == "seat-offer-expired"
    await mia.do(f"/seats/{mia.seat_id}/acceptance")
    await watch.becomes("training", "seats", mia.seat_id, status="confirmed")


async def test_an_award_offered_in_vain_goes_to_the_next_in_rank(api: Api, watch: Watch) -> None:
    programme = await Programme(api, offer_seconds=2).publish()
    ana, eva = await programme.women(2)
    assert [await one.win() for one in (ana, eva)] == ["offered", "waitlisted"]
    await watch.becomes("grants", "awards", ana.award_id, status="expired")
    assert await ana.refused(f"/awards/{ana.award_id}/acceptance") == "award-offer-expired"
    await watch.tells("grants", eva.id, "award-promoted", award_id=eva.award_id)
    await eva.accept_award()
    await watch.pool(programme.pool_id, 0, 0, AMOUNT, 0)
    await watch.becomes("grants", "applications", ana.award_id, status="closed")


async def test_a_place_offered_in_vain_goes_to_the_next_in_rank(api: Api, watch: Watch) -> None:
    programme = await Programme(api, offer_seconds=2).publish()
    ana, eva = await programme.women(2)
    assert [await one.ask_place() for one in (ana, eva)] == ["offered", "waitlisted"]
    await watch.becomes("trade", "places", ana.place_id, status="expired")
    assert await ana.refused(f"/places/{ana.place_id}/confirmation") == "place-offer-expired"
    await watch.tells("trade", eva.id, "place-promoted", place_id=eva.place_id)
    await eva.do(f"/places/{eva.place_id}/confirmation")
    await watch.becomes("trade", "places", eva.place_id, status="confirmed")


async def test_a_refilled_pool_moves_its_wait_list_in_rank(api: Api, watch: Watch) -> None:
    programme = await Programme(api, money=AMOUNT - 1).publish()
    ana, eva = await programme.women(2)
    assert [await one.win() for one in (ana, eva)] == ["waitlisted", "waitlisted"]
    await watch.pool(programme.pool_id, AMOUNT - 1, 0, 0, 0)
    increase = f"/pools/{programme.pool_id}/increase"
    await ana.officer("treasurer").do(increase, {"amount": 1})
    await watch.becomes("grants", "awards", ana.award_id, status="offered")
    await watch.becomes("grants", "awards", eva.award_id, status="waitlisted", rank=2)
    await watch.pool(programme.pool_id, 0, AMOUNT, 0, 0)
    await ana.officer("treasurer").do(increase, {"amount": AMOUNT})
    await watch.becomes("grants", "awards", eva.award_id, status="offered")
    for one in (ana, eva):
        await one.accept_award()
    await watch.pool(programme.pool_id, 0, 0, 2 * AMOUNT, 0)
