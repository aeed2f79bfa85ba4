"""Grants over HTTP, with enrollment's and training's facts arriving by the bus."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.enrollment.app import SERVICE as ENROLLMENT
from services.grants.app import SERVICE
from shared.chassis.memory.bus import MemoryBus
from tests.support.app import running
from tests.support.callers import Answer, Callers, TickingStore
from tests.support.wait import until
from tests.unit.enrollment.test_routes import submitted

pytestmark = pytest.mark.anyio


def plan(pool_id: str) -> dict[str, Any]:
    now = datetime.fromtimestamp(time.time(), UTC)
    return {
        "pool_id": pool_id,
        "opens_at": (now - timedelta(days=1)).isoformat(),
        "closes_at": (now + timedelta(days=1)).isoformat(),
        "min_amount": 10_000,
        "max_amount": 50_000,
        "offer_seconds": 3_600,
        "tranches": [{"share": 4_000}, {"share": 6_000, "course_id": "course-1"}],
    }


class Office:
    """Both services, and what the tests do with them again and again."""

    def __init__(self, enrollment: Callers, grants: Callers) -> None:
        self.enrollment, self.call_as = enrollment, grants
        self.reviewer = grants("rosa", "reviewer")
        self.approver = grants("pilar", "approver")
        self.treasurer = grants("tina", "treasurer")

    async def enrol(self, person_id: str) -> str:
        """An officer takes her in."""
        enrolment_id = await submitted(self.enrollment, person_id)
        admission = f"/enrolments/{enrolment_id}/admission"
        assert (await self.enrollment("ines", "intake").post(admission, {})).status == 200
        return enrolment_id

    async def open_round(self, money: int = 30_000) -> tuple[str, str]:
        """A pool of so much, and a round on it."""
        pool = await self.treasurer.post("/pools", {"amount": money})
        a_round = await self.approver.post("/rounds", plan(pool.body["id"]))
        assert (pool.status, a_round.status) == (201, 201), a_round
        return pool.body["id"], a_round.body["id"]

    async def apply(self, person_id: str, round_id: str) -> Answer:
        """She asks for money, as soon as her enrolment is known."""
        her = self.call_as(person_id, "applicant")

        async def ask() -> Answer:
            return await her.post("/applications", {"round_id": round_id, "amount": 30_000})

        return await until(ask, lambda answer: answer.status != 409)

    async def approve(self, person_id: str, round_id: str) -> Answer:
        """She applies, one proposes, another approves."""
        award_id = (await self.apply(person_id, round_id)).body["id"]
        amount = {"amount": 30_000}
        proposed = await self.reviewer.post(f"/applications/{award_id}/proposal", amount)
        assert (proposed.body["status"], proposed.body["award_id"]) == ("proposed", award_id)
        return await self.approver.post(f"/awards/{award_id}/approval")

    async def accept(self, person_id: str, round_id: str) -> Answer:
        """All that, and she accepts."""
        award = await self.approve(person_id, round_id)
        her = self.call_as(person_id, "applicant")
        return await her.post(f"/awards/{award.body['id']}/acceptance")

    async def balances(self, pool_id: str) -> list[int]:
        """Available, reserved, committed, disbursed, as an auditor sees them."""
        shown = await self.call_as("alma", "auditor").get(f"/pools/{pool_id}")
        names = ("available", "reserved", "committed", "disbursed")
        return [shown.body["balances"][name] for name in names]


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    bus = MemoryBus()
    async with (
        running(ENROLLMENT, tmp_path, TickingStore(), bus) as enrollment,
        running(SERVICE, tmp_path, TickingStore(), bus) as grants,
    ):
        yield Office(Callers(enrollment, tmp_path), Callers(grants, tmp_path))


async def test_an_award_goes_from_application_to_payment_through_three_people(
    office: Office,
) -> None:
    pool_id, round_id = await office.open_round(40_000)
    await office.enrol("ana")
    award = await office.accept("ana", round_id)
    assert [one["status"] for one in award.body["tranches"]] == ["ready", "planned"]
    assert await office.balances(pool_id) == [10_000, 0, 30_000, 0]
    pay = f"/awards/{award.body['id']}/tranches/1/payment"
    sent = (await office.treasurer.post(pay)).body["tranches"][0]
    assert sent["status"] == "sent"
    confirm = f"/payments/{sent['payment_id']}/confirmation"
    hers = await office.call_as("ana", "treasurer").post(confirm)
    assert (hers.status, hers.code) == (403, "award-to-oneself")
    assert (await office.treasurer.post(confirm)).body["status"] == "confirmed"
    assert await office.balances(pool_id) == [10_000, 0, 18_000, 12_000]
    assert (await office.treasurer.post(pay)).code == "tranche-already-paid"


async def test_every_desk_finds_what_waits_for_it(office: Office) -> None:
    pool_id, round_id = await office.open_round()
    for person_id in ("ana", "eva", "ofe"):
        await office.enrol(person_id)
    award_id = (await office.accept("ana", round_id)).body["id"]
    await office.approve("eva", round_id)
    await office.apply("ofe", round_id)

    async def listed(path: str, **params: str) -> list[str]:
        found = await office.approver.get(path, **params)
        assert found.status == 200, found
        return [one["person_id"] for one in found.body["items"]]

    assert await listed("/applications") == ["ofe"]
    assert await listed("/applications", round_id=round_id, status="awarded") == ["ana"]
    assert await listed(f"/pools/{pool_id}/wait-list") == ["eva"]
    assert await listed("/tranches") == ["ana"]
    assert await listed("/tranches", state="planned") == ["ana"]
    assert await listed("/tranches", state="held") == []
    assert await listed("/awards", status="accepted", round_id=round_id) == ["ana"]
    await office.treasurer.post(f"/awards/{award_id}/tranches/1/payment")
    assert await listed("/payments") == ["ana"]
    assert await listed("/tranches", state="sent") == ["ana"]


async def test_she_sees_her_own_things_and_nobody_elses(office: Office) -> None:
    _, round_id = await office.open_round()
    await office.enrol("ana")
    award = await office.approve("ana", round_id)
    ana, eva = office.call_as("ana", "applicant"), office.call_as("eva", "applicant")
    id_ = award.body["id"]
    for path in ("/persons/ana/applications", "/persons/ana/awards"):
        assert [one["id"] for one in (await ana.get(path)).body["items"]] == [id_]
    assert (await ana.get("/persons/ana/payments")).body["items"] == []
    for answer in (
        await eva.get(f"/awards/{id_}"),
        await eva.get(f"/applications/{id_}"),
        await eva.get("/persons/ana/awards"),
        await eva.post(f"/awards/{id_}/acceptance"),
        await eva.post(f"/applications/{id_}/withdrawal"),
        await eva.get("/payments/none"),
    ):
        assert answer.status == 404, answer


async def test_one_person_is_not_two_in_one_award(office: Office) -> None:
    _, round_id = await office.open_round()
    await office.enrol("ana")
    id_ = (await office.apply("ana", round_id)).body["id"]
    await office.reviewer.post(f"/applications/{id_}/proposal", {"amount": 30_000})
    alone = await office.call_as("rosa", "approver").post(f"/awards/{id_}/approval")
    assert (alone.status, alone.code) == (403, "approval-needs-second-person")
    await office.approver.post(f"/awards/{id_}/approval")
    await office.call_as("ana", "applicant").post(f"/awards/{id_}/acceptance")
    pay = f"/awards/{id_}/tranches/1/payment"
    for name in ("rosa", "pilar"):
        refused = await office.call_as(name, "treasurer").post(pay)
        assert (refused.status, refused.code) == (403, "payment-needs-third-person")


async def test_she_renounces_and_the_desk_holds_resumes_and_gives_back(office: Office) -> None:
    pool_id, round_id = await office.open_round()
    await office.enrol("ana")
    id_ = (await office.accept("ana", round_id)).body["id"]
    ana, first, second = office.call_as("ana", "applicant"), "tranches/1", "tranches/2"
    other = await office.call_as("eva", "applicant").post(f"/awards/{id_}/{second}/renunciation")
    assert (other.status, other.code) == (404, "not-found")
    renounced = await ana.post(f"/awards/{id_}/{second}/renunciation")
    assert renounced.body["tranches"][1]["hold"] == "renounced"
    assert (await office.approver.post(f"/awards/{id_}/{second}/return")).status == 200
    assert await office.balances(pool_id) == [18_000, 0, 12_000, 0]
    reason = {"reason_code": "account-unusable"}
    held = await office.approver.post(f"/awards/{id_}/{first}/hold", reason)
    assert held.body["tranches"][0]["hold"] == "account-unusable"
    assert (await office.approver.post(f"/awards/{id_}/{first}/resumption")).status == 200
    sent = await office.treasurer.post(f"/awards/{id_}/{first}/payment")
    assert sent.body["tranches"][0]["status"] == "sent"
    late = await office.approver.post(f"/awards/{id_}/{first}/hold", reason)
    assert (late.status, late.code) == (409, "tranche-payment-sent")


async def test_who_leaves_frees_the_money_for_the_next(office: Office) -> None:
    pool_id, round_id = await office.open_round()
    enrolment_id = await office.enrol("ana")
    await office.enrol("eva")
    await office.approve("ana", round_id)
    award = await office.approve("eva", round_id)
    assert (award.body["status"], award.body["rank"]) == ("waitlisted", 1)
    leave = f"/enrolments/{enrolment_id}/withdrawal"
    await office.enrollment("ana", "applicant").post(leave, {"reason_code": "no-time"})
    eva, path = office.call_as("eva", "applicant"), f"/awards/{award.body['id']}"
    await until(lambda: eva.get(path), lambda answer: answer.body["status"] == "offered")
    ana = office.call_as("ana", "applicant")
    assert (await ana.get(f"/awards/ana:{round_id}")).body["reason_code"] == "enrolment-withdrawn"
    assert await office.balances(pool_id) == [0, 30_000, 0, 0]


async def test_a_refilled_pool_offers_to_who_waits(office: Office) -> None:
    pool_id, round_id = await office.open_round(0)
    await office.enrol("ana")
    award = await office.approve("ana", round_id)
    more = await office.treasurer.post(f"/pools/{pool_id}/increase", {"amount": 30_000})
    assert more.body["waiting"] == 0
    shown = await office.approver.get(f"/awards/{award.body['id']}")
    assert (shown.body["status"], shown.body["rank"]) == ("offered", None)
    short = await office.treasurer.post(f"/pools/{pool_id}/reduction", {"amount": 1})
    assert (short.status, short.code) == (409, "pool-money-short")
    assert short.body["known"] == {"available": 0}


async def test_a_role_does_what_is_its_own(office: Office) -> None:
    pool_id, round_id = await office.open_round()
    ana = office.call_as("ana", "applicant")
    amount = {"amount": 30_000}
    for answer in (
        await ana.post("/pools", amount),
        await ana.get("/pools"),
        await ana.get("/awards"),
        await ana.get("/tranches"),
        await ana.post("/awards/a/approval"),
        await ana.post("/awards/a/tranches/1/hold", {"reason_code": "account-unusable"}),
        await ana.post("/awards/a/tranches/1/resumption"),
        await office.reviewer.post("/awards/a/approval"),
        await office.approver.post(f"/pools/{pool_id}/increase", amount),
        await office.approver.post("/awards/a/tranches/1/payment"),
        await office.approver.post("/applications/a/proposal", amount),
        await office.treasurer.post("/applications", {"round_id": round_id, **amount}),
        await office.reviewer.post("/payments/p/confirmation"),
    ):
        assert answer.status == 403, answer
    assert (await ana.get(f"/rounds/{round_id}")).body["offer_seconds"] == 3_600
    assert len((await ana.get("/rounds", pool_id=pool_id)).body["items"]) == 1


async def test_money_is_whole_centavos(office: Office) -> None:
    pool_id, _ = await office.open_round()
    for amount in (0, -1, 1.0, True, "30000", 10**16, None):
        answer = await office.treasurer.post(f"/pools/{pool_id}/increase", {"amount": amount})
        assert answer.status == 422, (amount, answer)


async def test_a_tranche_is_named_by_its_number(office: Office) -> None:
    for tranche in ("0", "13", "1.0", "x", "+1", "\u0661"):
        answer = await office.treasurer.post(f"/awards/a/tranches/{tranche}/payment")
        assert answer.status == 422, (tranche, answer)


async def test_what_is_not_there_is_404(office: Office) -> None:
    amount = {"amount": 1}
    for path in ("/awards/a/tranches/1/payment", "/payments/a/confirmation"):
        assert (await office.treasurer.post(path)).status == 404
    assert (await office.treasurer.post("/pools/a/increase", amount)).status == 404
    assert (await office.reviewer.post("/applications/a/proposal", amount)).status == 404
