"""Trade over HTTP, with enrollment's facts arriving by the bus."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time
from typing import Any

import pytest

from services.enrollment.app import SERVICE as ENROLLMENT
from services.trade.app import SERVICE
from shared.chassis.memory.bus import MemoryBus
from tests.support.app import running
from tests.support.callers import Answer, Callers, TickingStore
from tests.support.wait import until
from tests.unit.enrollment.test_routes import submitted

pytestmark = pytest.mark.anyio

TODAY = datetime.fromtimestamp(time(), UTC).date()

PLAN = {
    "kind": "mission",
    "country": "CO",
    "starts_on": (TODAY + timedelta(days=90)).isoformat(),
    "places": 1,
    "requirements": ["enrolled"],
    "offer_seconds": 3600,
}


class Hall:
    """Both services, and what the tests do with them again and again."""

    def __init__(self, enrollment: Callers, trade: Callers) -> None:
        self.enrollment, self.call_as = enrollment, trade

    async def enrol(self, person_id: str) -> str:
        """Enrol her, and wait until trade has heard of it."""
        enrolment_id = await submitted(self.enrollment, person_id)
        admission = f"/enrolments/{enrolment_id}/admission"
        assert (await self.enrollment("ines", "intake").post(admission, {})).status == 200
        her, path = self.call_as(person_id, "applicant"), f"/persons/{person_id}/readiness"
        await until(lambda: her.get(path), lambda answer: answer.status == 200)
        return enrolment_id

    async def publish(self, **changes: Any) -> str:
        """The trade desk publishes a fair."""
        fair = await self.call_as("tere", "trade").post("/fairs", PLAN | changes)
        assert fair.status == 201, fair
        return str(fair.body["id"])

    async def apply(self, person_id: str, fair_id: str) -> Answer:
        """She asks for a place."""
        return await self.call_as(person_id, "applicant").post("/places", {"fair_id": fair_id})

    async def becomes(self, person_id: str, place_id: str, status: str) -> Answer:
        """Wait until her place stands so."""
        her = self.call_as(person_id, "applicant")
        return await until(
            lambda: her.get(f"/places/{place_id}"), lambda a: a.body["status"] == status
        )


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Hall]:
    bus = MemoryBus()
    async with (
        running(ENROLLMENT, tmp_path, TickingStore(), bus) as enrollment,
        running(SERVICE, tmp_path, TickingStore(), bus) as trade,
    ):
        yield Hall(Callers(enrollment, tmp_path), Callers(trade, tmp_path))


async def test_she_applies_confirms_and_the_fair_counts_her(hall: Hall) -> None:
    fair_id, ana = await hall.publish(places=2), hall.call_as("ana", "applicant")
    await hall.enrol("ana")
    offered = await hall.apply("ana", fair_id)
    assert (offered.status, offered.body["status"]) == (201, "offered")
    assert offered.body["expires_at"] is not None
    shown = (await ana.get(f"/fairs/{fair_id}")).body
    assert [shown[name] for name in ("places", "taken", "offered", "confirmed")] == [2, 1, 1, 0]
    confirmed = await ana.post(f"/places/{offered.body['id']}/confirmation")
    assert confirmed.body["status"] == "confirmed"
    shown = (await ana.get(f"/fairs/{fair_id}")).body
    assert [shown[name] for name in ("taken", "offered", "confirmed", "waiting")] == [1, 0, 1, 0]
    hers = (await ana.get("/persons/ana/places")).body["items"]
    assert [one["id"] for one in hers] == [f"ana:{fair_id}"]


async def test_a_withdrawn_enrolment_frees_her_place_for_the_next(hall: Hall) -> None:
    fair_id = await hall.publish()
    enrolment_id = await hall.enrol("ana")
    await hall.enrol("eva")
    first, second = await hall.apply("ana", fair_id), await hall.apply("eva", fair_id)
    assert (second.body["status"], second.body["rank"]) == ("waitlisted", 1)
    ana = hall.enrollment("ana", "applicant")
    leave = {"reason_code": "no-time"}
    assert (await ana.post(f"/enrolments/{enrolment_id}/withdrawal", leave)).status == 200
    gone = await hall.becomes("ana", first.body["id"], "withdrawn")
    assert gone.body["reason_code"] == "enrolment-withdrawn"
    await hall.becomes("eva", second.body["id"], "offered")


async def test_she_gives_her_place_back_for_a_reason_that_is_known(hall: Hall) -> None:
    fair_id = await hall.publish()
    await hall.enrol("ana")
    place = await hall.apply("ana", fair_id)
    ana, path = hall.call_as("ana", "applicant"), f"/places/{place.body['id']}/withdrawal"
    assert (await ana.post(path, {"reason_code": "fair-cancelled"})).status == 422
    gone = await ana.post(path, {"reason_code": "care-duties"})
    assert (gone.body["status"], gone.body["reason_code"]) == ("withdrawn", "care-duties")


async def test_a_promoter_applies_on_her_behalf(hall: Hall) -> None:
    fair_id = await hall.publish()
    await hall.enrol("ana")
    promoter = hall.call_as("pia", "promoter", "ana")
    place = await promoter.post("/places", {"fair_id": fair_id})
    assert (place.status, place.body["person_id"]) == (201, "ana")


async def test_who_is_not_ready_gets_no_place(hall: Hall) -> None:
    fair_id = await hall.publish(requirements=["course:course-1"])
    assert (await hall.apply("eva", fair_id)).code == "not-enrolled"
    await hall.enrol("ana")
    assert (await hall.apply("ana", fair_id)).code == "requirements-unmet"
    assert (await hall.apply("ana", "fair-9")).code == "fair-unknown"


async def test_a_cancelled_fair_ends_her_place_and_leaves_the_list(hall: Hall) -> None:
    fair_id, desk = await hall.publish(), hall.call_as("tere", "trade")
    await hall.enrol("ana")
    place = await hall.apply("ana", fair_id)
    cancelled = await desk.post(f"/fairs/{fair_id}/cancellation")
    assert (cancelled.body["status"], cancelled.body["taken"]) == ("cancelled", 0)
    gone = await hall.becomes("ana", place.body["id"], "withdrawn")
    assert gone.body["reason_code"] == "fair-cancelled"
    assert (await desk.get("/fairs")).body["items"] == []
    listed = (await desk.get("/fairs", status="cancelled")).body["items"]
    assert [one["id"] for one in listed] == [fair_id]


async def test_the_desk_lists_the_places_of_a_fair_by_status(hall: Hall) -> None:
    fair_id, desk = await hall.publish(), hall.call_as("tere", "trade")
    for person_id in ("ana", "eva"):
        await hall.enrol(person_id)
        await hall.apply(person_id, fair_id)
    path = f"/fairs/{fair_id}/places"
    assert len((await desk.get(path)).body["items"]) == 2
    waiting = (await desk.get(path, status="waitlisted")).body["items"]
    assert [one["person_id"] for one in waiting] == ["eva"]


async def test_another_womans_place_does_not_exist_for_her(hall: Hall) -> None:
    fair_id = await hall.publish()
    await hall.enrol("ana")
    place = await hall.apply("ana", fair_id)
    eva, path = hall.call_as("eva", "applicant"), f"/places/{place.body['id']}"
    for answer in (
        await eva.get(path),
        await eva.post(f"{path}/confirmation"),
        await eva.post(f"{path}/withdrawal", {"reason_code": "health"}),
        await eva.get("/persons/ana/places"),
        await eva.get("/persons/ana/readiness"),
    ):
        assert answer.status == 404, answer


async def test_a_role_does_what_is_its_own(hall: Hall) -> None:
    ana = hall.call_as("ana", "applicant")
    for answer in (
        await ana.post("/fairs", PLAN),
        await ana.post("/fairs/x/cancellation"),
        await ana.get("/fairs/x/places"),
        await hall.call_as("tere", "trade").post("/places", {"fair_id": "x"}),
    ):
        assert answer.status == 403, answer


async def test_a_fair_of_the_past_is_refused(hall: Hall) -> None:
    past = {"starts_on": (TODAY - timedelta(days=1)).isoformat()}
    answer = await hall.call_as("tere", "trade").post("/fairs", PLAN | past)
    assert (answer.status, answer.code) == (409, "fair-started")


async def test_an_answered_offer_shows_no_clock_and_a_readiness_its_leaves(hall: Hall) -> None:
    fair_id = await hall.publish()
    await hall.enrol("ana")
    offered = await hall.apply("ana", fair_id)
    ana, path = hall.call_as("ana", "applicant"), f"/places/{offered.body['id']}"
    confirmed = await ana.post(f"{path}/confirmation")
    assert [confirmed.body[name] for name in ("expires_at", "rank", "unmet")] == [None, None, []]
    shown = (await ana.get("/persons/ana/readiness")).body
    assert shown["leaves"] == [{"code": "enrolled", "result": "met", "reason_code": None}]


@pytest.mark.parametrize(
    "change",
    [
        {"places": 0},
        {"places": True},
        {"country": "co"},
        {"requirements": ["certificate"]},
        {"starts_on": 20261118},
        {"starts_on": "2026-11-31"},
        {"x": 1},
    ],
)
async def test_a_plan_that_cannot_be_is_refused(hall: Hall, change: dict[str, Any]) -> None:
    answer = await hall.call_as("tere", "trade").post("/fairs", PLAN | change)
    assert answer.status == 422, answer
