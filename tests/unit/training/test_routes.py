"""Training over HTTP, with enrollment's facts arriving by the bus."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time
from typing import Any

import pytest

from services.enrollment.app import SERVICE as ENROLLMENT
from services.training.app import SERVICE
from shared.chassis.memory.bus import MemoryBus
from tests.support.app import running
from tests.support.callers import Answer, Caller, Callers, TickingStore
from tests.support.wait import until
from tests.unit.enrollment.test_routes import submitted

pytestmark = pytest.mark.anyio

TODAY = datetime.fromtimestamp(time(), UTC).date()
STARTS_ON = (TODAY + timedelta(days=30)).isoformat()
COURSE = {
    "competence": "digital-selling",
    "hours": 20,
    "versions": [{"language": "tzo", "title": "Chonolajel ta internet"}],
    "rule": {"version": "2026-1", "min_attendance": 50},
}
PLAN = {
    "language": "tzo",
    "state": "07",
    "capacity": 1,
    "starts_on": STARTS_ON,
    "sessions": 2,
    "offer_seconds": 60,
}


class School:
    """Both services, and what the tests do with them again and again."""

    def __init__(self, enrollment: Callers, training: Callers) -> None:
        self.enrollment, self.call_as = enrollment, training

    async def enrol(self, person_id: str) -> str:
        """Enrol her, and wait until training has heard of it."""
        enrolment_id = await submitted(self.enrollment, person_id)
        admission = f"/enrolments/{enrolment_id}/admission"
        assert (await self.enrollment("ines", "intake").post(admission, {})).status == 200
        return enrolment_id

    async def open_cohort(self, **changes: Any) -> str:
        """Publish a course and open a cohort of it."""
        teo = self.call_as("teo", "trainer")
        course = await teo.post("/courses", COURSE)
        plan = PLAN | {"course_id": course.body["id"]} | changes
        cohort = await teo.post("/cohorts", plan)
        assert cohort.status == 201, cohort
        return str(cohort.body["id"])

    async def ask_seat(self, person_id: str, cohort_id: str) -> Answer:
        """Ask for a seat, as soon as her enrolment is known."""
        her = self.call_as(person_id, "applicant")

        async def ask() -> Answer:
            return await her.post("/seats", {"cohort_id": cohort_id})

        return await until(ask, lambda answer: answer.status != 409)

    async def becomes(self, person_id: str, seat_id: str, status: str) -> None:
        """Wait until her seat stands so."""
        her = self.call_as(person_id, "applicant")
        await until(lambda: her.get(f"/seats/{seat_id}"), lambda a: a.body["status"] == status)


@pytest.fixture
async def school(tmp_path: Path) -> AsyncIterator[School]:
    bus = MemoryBus()
    async with (
        running(ENROLLMENT, tmp_path, TickingStore(), bus) as enrollment,
        running(SERVICE, tmp_path, TickingStore(), bus) as training,
    ):
        yield School(Callers(enrollment, tmp_path), Callers(training, tmp_path))


async def test_an_enrolled_woman_learns_and_is_certified(school: School) -> None:
    cohort_id, teo = await school.open_cohort(), school.call_as("teo", "trainer")
    await school.enrol("ana")
    seat = await school.ask_seat("ana", cohort_id)
    assert (seat.status, seat.body["status"]) == (201, "confirmed")
    path = f"/seats/{seat.body['id']}"
    assert (await teo.post(f"{path}/completion")).code == "completion-attendance-missing"
    await teo.post(f"{path}/attendance", {"session": 1, "state": "present"})
    await teo.post(f"{path}/attendance", {"session": 2, "state": "absent"})
    ana = school.call_as("ana", "applicant")
    explained = await ana.get(f"{path}/completion")
    assert [leaf["result"] for leaf in explained.body["leaves"]] == ["met", "met"]
    assert (await teo.post(f"{path}/completion")).body["status"] == "completed"
    held = (await ana.get("/persons/ana/certificates")).body["items"]
    assert [one["status"] for one in held] == ["issued"]
    reason = {"reason_code": "attendance-misrecorded"}
    revoked = await teo.post(f"/certificates/{held[0]['id']}/revocation", reason)
    assert revoked.body["status"] == "revoked"


async def test_a_withdrawal_frees_her_seat_for_the_next_who_accepts(school: School) -> None:
    cohort_id = await school.open_cohort()
    enrolment_id = await school.enrol("ana")
    await school.enrol("eva")
    first = await school.ask_seat("ana", cohort_id)
    second = await school.ask_seat("eva", cohort_id)
    assert (second.body["status"], second.body["rank"]) == ("waitlisted", 1)
    leave = {"reason_code": "no-time"}
    ana = school.enrollment("ana", "applicant")
    assert (await ana.post(f"/enrolments/{enrolment_id}/withdrawal", leave)).status == 200
    await school.becomes("ana", first.body["id"], "dropped")
    eva = school.call_as("eva", "applicant")
    offers = (await eva.get("/persons/eva/seat-offers")).body["items"]
    assert [one["id"] for one in offers] == [second.body["id"]]
    accepted = await eva.post(f"/seats/{second.body['id']}/acceptance")
    assert accepted.body["status"] == "confirmed"
    cohort = await eva.get(f"/cohorts/{cohort_id}")
    assert (cohort.body["free"], cohort.body["waiting"]) == (0, 0)


async def test_where_the_next_in_line_stands_is_told_to_a_trainer_and_to_no_woman(
    school: School,
) -> None:
    cohort_id = await school.open_cohort()
    for person_id in ("ana", "bea", "eva"):
        await school.enrol(person_id)
        await school.ask_seat(person_id, cohort_id)
    ana, helper = school.call_as("ana", "applicant"), school.call_as("hilda", "promoter", "bea")
    told = [await leaves(ana, f"ana:{cohort_id}"), await leaves(helper, f"bea:{cohort_id}")]
    await school.enrol("ofe")
    await school.ask_seat("ofe", cohort_id)
    told.append(await leaves(school.call_as("teo", "trainer"), f"eva:{cohort_id}"))
    assert told == [["ana"], ["bea"], ["eva", "ofe"]]


async def leaves(caller: Caller, seat_id: str) -> list[str]:
    """Give up a seat: whose streams the answer names."""
    answer = await caller.post(f"/seats/{seat_id}/cancellation", {"reason_code": "health"})
    assert answer.status == 200, answer
    return [place.split("/")[1] for place in answer.headers["telar-position"].split(",")]


async def test_who_asked_for_her_seat_records_no_session_of_it(school: School) -> None:
    cohort_id = await school.open_cohort()
    await school.enrol("ana")
    helper = school.call_as("pia", "promoter", "ana")
    await until(lambda: helper.post("/seats", {"cohort_id": cohort_id}), lambda a: a.status == 201)
    mark, path = {"session": 1, "state": "present"}, f"/seats/ana:{cohort_id}/attendance"
    refused = await school.call_as("pia", "trainer").post(path, mark)
    assert (refused.status, refused.code) == (403, "helper-may-not-decide")
    marked = await school.call_as("teo", "trainer").post(path, mark)
    assert marked.status == 200
    assert "helped_by" not in marked.body


async def test_who_is_not_enrolled_gets_no_seat(school: School) -> None:
    cohort_id = await school.open_cohort()
    eva = school.call_as("eva", "applicant")
    assert (await eva.post("/seats", {"cohort_id": cohort_id})).code == "not-enrolled"


async def test_a_cohort_is_found_by_course_language_and_state(school: School) -> None:
    cohort_id = await school.open_cohort()
    anyone = school.call_as("olga", "auditor")
    found = await anyone.get("/cohorts", language="tzo", state="07")
    assert [one["id"] for one in found.body["items"]] == [cohort_id]
    assert found.body["items"][0]["starts_on"] == STARTS_ON
    assert (await anyone.get("/cohorts", language="yua")).body["items"] == []
    assert len((await anyone.get("/courses", competence="digital-selling")).body["items"]) == 1


async def test_another_womans_seat_does_not_exist_for_her(school: School) -> None:
    cohort_id = await school.open_cohort()
    await school.enrol("ana")
    seat = await school.ask_seat("ana", cohort_id)
    eva, path = school.call_as("eva", "applicant"), f"/seats/{seat.body['id']}"
    for answer in (
        await eva.get(path),
        await eva.post(f"{path}/acceptance"),
        await eva.post(f"{path}/cancellation", {"reason_code": "health"}),
        await eva.get("/persons/ana/seats"),
    ):
        assert answer.status == 404, answer
    listed = await school.call_as("teo", "trainer").get(f"/cohorts/{cohort_id}/seats")
    assert [one["id"] for one in listed.body["items"]] == [seat.body["id"]]


async def test_no_name_of_a_cohort_makes_another_womans_seat_hers(school: School) -> None:
    cohort_id = await school.open_cohort()
    await school.enrol("ana:1")
    assert (await school.ask_seat("ana:1", cohort_id)).body["id"] == f"ana:1:{cohort_id}"
    ana = school.call_as("ana", "applicant")
    assert (await ana.post("/seats", {"cohort_id": f"1:{cohort_id}"})).status == 422


async def test_no_version_tells_her_whether_another_womans_seat_is_there(school: School) -> None:
    cohort_id = await school.open_cohort()
    await school.enrol("ana")
    seat_id = (await school.ask_seat("ana", cohort_id)).body["id"]
    ana, eva = school.call_as("ana", "applicant"), school.call_as("eva", "applicant")
    leave = {"reason_code": "health"}
    for path in (f"/seats/{seat_id}", f"/seats/eva:{cohort_id}"):
        for match in ('"0"', '"1"', '"2"'):
            answer = await eva.post(f"{path}/cancellation", leave, match=match)
            assert (answer.status, answer.code) == (404, "not-found"), match
    stale = await ana.post(f"/seats/{seat_id}/cancellation", leave, match='"0"')
    assert (stale.status, stale.code) == (412, "edited-meanwhile")
    read = await ana.get(f"/seats/{seat_id}")
    left = await ana.post(f"/seats/{seat_id}/cancellation", leave, match=read.headers["etag"])
    assert (left.status, left.body["status"]) == (200, "dropped")


async def test_a_role_does_what_is_its_own(school: School) -> None:
    ana = school.call_as("ana", "applicant")
    mark = {"session": 1, "state": "present"}
    for answer in (
        await ana.post("/courses", COURSE),
        await ana.post("/seats/ana:x/attendance", mark),
        await ana.post("/seats/ana:x/completion"),
        await ana.get("/cohorts/x/seats"),
        await ana.post("/certificates/x/revocation", {"reason_code": "issued-by-mistake"}),
        await school.call_as("teo", "trainer").post("/seats", {"cohort_id": "x"}),
    ):
        assert answer.status == 403, answer


@pytest.mark.parametrize(
    "change",
    [{"capacity": 0}, {"capacity": True}, {"capacity": 2.0}, {"starts_on": 20260401}, {"x": 1}],
)
async def test_a_plan_that_cannot_be_is_refused(school: School, change: dict[str, Any]) -> None:
    answer = await school.call_as("teo", "trainer").post(
        "/cohorts", PLAN | {"course_id": "course-1"} | change
    )
    assert answer.status == 422, answer


async def test_a_cohort_of_the_past_is_refused(school: School) -> None:
    teo = school.call_as("teo", "trainer")
    course = await teo.post("/courses", COURSE)
    past = {"starts_on": (TODAY - timedelta(days=1)).isoformat(), "course_id": course.body["id"]}
    answer = await teo.post("/cohorts", PLAN | past)
    assert (answer.status, answer.code) == (409, "cohort-started")
