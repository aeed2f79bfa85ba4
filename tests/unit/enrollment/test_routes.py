"""Enrollment over HTTP: who may do what, and what each sees."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.enrollment.app import SERVICE
from shared.chassis import replies
from shared.chassis.memory.bus import MemoryBus
from tests.support.app import running
from tests.support.callers import Callers, TickingStore

pytestmark = pytest.mark.anyio

FACETS = {
    "state": "07",
    "municipality": "07101",
    "rural_class": "rural",
    "self_declared_woman": True,
}
PROFILE = {"sector": "311", "size_class": "micro", "women_share": 100}


@pytest.fixture
async def call_as(tmp_path: Path) -> AsyncIterator[Callers]:
    async with running(SERVICE, tmp_path, TickingStore(), MemoryBus()) as service:
        yield Callers(service, tmp_path)


def call_terms() -> dict[str, Any]:
    now = datetime.fromtimestamp(time.time(), UTC)
    return {
        "title": "Convocatoria 2026",
        "opens_at": (now - timedelta(days=1)).isoformat(),
        "closes_at": (now + timedelta(days=30)).isoformat(),
        "rules_version": "2026-1",
    }


async def published(call_as: Callers) -> str:
    answer = await call_as("ines", "intake").post("/calls", call_terms())
    assert answer.status == 201, answer
    return str(answer.body["id"])


async def submitted(call_as: Callers, subject: str = "ana") -> str:
    """She registers, brings her business, drafts and submits."""
    call_id, ana = await published(call_as), call_as(subject, "applicant")
    assert (await ana.post("/persons", FACETS)).status == 201
    business = await ana.post("/businesses", PROFILE)
    draft = {"call_id": call_id, "business_id": business.body["id"]}
    begun = await ana.post("/enrolments", draft)
    assert begun.status == 201, begun
    enrolment_id = str(begun.body["id"])
    answer = await ana.post(f"/enrolments/{enrolment_id}/submission")
    assert (answer.status, answer.body["status"]) == (200, "evaluated"), answer
    return enrolment_id


async def test_she_enrols_and_an_officer_decides(call_as: Callers) -> None:
    enrolment_id, intake = await submitted(call_as), call_as("ines", "intake")
    queue = await intake.get("/enrolments")
    assert [one["id"] for one in queue.body["items"]] == [enrolment_id]
    admitted = await intake.post(f"/enrolments/{enrolment_id}/admission", {})
    assert (admitted.body["status"], admitted.body["decided_by"]) == ("enrolled", "ines")
    assert (await intake.get("/enrolments")).body["items"] == []
    hers = await call_as("ana", "applicant").get("/persons/ana/enrolments")
    assert [one["status"] for one in hers.body["items"]] == ["enrolled"]


async def test_she_reads_why_she_was_declined_and_each_leaf(call_as: Callers) -> None:
    enrolment_id = await submitted(call_as)
    path = f"/enrolments/{enrolment_id}"
    no_reason = await call_as("ines", "intake").post(f"{path}/refusal", {"reason_codes": []})
    assert no_reason.status == 422
    reasons = {"reason_codes": ["evidence-missing"]}
    declined = await call_as("ines", "intake").post(f"{path}/refusal", reasons)
    assert declined.status == 200
    seen = await call_as("ana", "applicant").get(path)
    assert seen.body["reason_codes"] == ["evidence-missing"]
    assert {leaf["result"] for leaf in seen.body["evaluation"]["leaves"]} == {"met", "unknown"}


async def test_another_womans_things_do_not_exist_for_her(call_as: Callers) -> None:
    enrolment_id, eva = await submitted(call_as), call_as("eva", "applicant")
    path = f"/enrolments/{enrolment_id}"
    withdrawal = {"reason_code": "no-time"}
    for answer in (
        await eva.get(path),
        await eva.put(path, {}),
        await eva.post(f"{path}/submission"),
        await eva.post(f"{path}/withdrawal", withdrawal),
        await eva.get("/persons/ana"),
        await eva.get("/persons/ana/businesses"),
        await eva.get("/persons/ana/enrolments"),
    ):
        assert answer.status == 404, answer


async def test_another_womans_business_cannot_be_brought(call_as: Callers) -> None:
    await submitted(call_as)
    call_id, eva = await published(call_as), call_as("eva", "applicant")
    listed = await call_as("ines", "intake").get("/persons/ana/businesses")
    hers = {"call_id": call_id, "business_id": listed.body["items"][0]["id"]}
    assert (await eva.post("/enrolments", {"call_id": call_id})).code == "person-unknown"
    await eva.post("/persons", FACETS)
    assert (await eva.post("/enrolments", hers)).code == "business-unknown"


async def test_a_role_does_what_is_its_own(call_as: Callers) -> None:
    enrolment_id, ana = await submitted(call_as), call_as("ana", "applicant")
    for answer in (
        await ana.post("/calls", call_terms()),
        await ana.get("/enrolments"),
        await ana.post(f"/enrolments/{enrolment_id}/admission", {}),
        await call_as("teo", "trainer").get(f"/enrolments/{enrolment_id}"),
        await call_as("ines", "intake").post("/persons", FACETS),
        await call_as("olga", "auditor").get("/persons/ana"),
    ):
        assert answer.status == 403, answer


async def test_a_draft_is_hers_alone(call_as: Callers) -> None:
    call_id, ana = await published(call_as), call_as("ana", "applicant")
    await ana.post("/persons", FACETS)
    path = f"/enrolments/{(await ana.post('/enrolments', {'call_id': call_id})).body['id']}"
    edit = {"answers": [{"question": "device", "choice": "phone"}]}
    assert (await ana.put(path, edit)).body["draft"]["answers"] == edit["answers"]
    assert (await ana.get(path)).status == 200
    assert (await call_as("ines", "intake").get(path)).code == "enrolment-unknown"
    assert (await call_as("ines", "intake").get("/enrolments", status="draft")).status == 422


@pytest.mark.parametrize("is_discarded", [False, True])
async def test_the_desk_cannot_find_out_that_she_has_a_draft(
    call_as: Callers, is_discarded: bool
) -> None:
    call_id, ana = await published(call_as), call_as("ana", "applicant")
    await ana.post("/persons", FACETS)
    hers = f"/enrolments/{(await ana.post('/enrolments', {'call_id': call_id})).body['id']}"
    if is_discarded:
        await ana.post(f"{hers}/withdrawal", {"reason_code": "no-time"})
    desk, advised = call_as("ines", "intake"), {"reason_codes": ["evidence-seen"]}
    reasons = {"reason_codes": ["evidence-missing"]}
    for path in (hers, f"/enrolments/eva:{call_id}"):
        for match in (None, '"0"', '"1"', '"2"', '"9"'):
            for act, body in (("admission", advised), ("refusal", reasons)):
                answer = await desk.post(f"{path}/{act}", body, match=match)
                assert (answer.status, answer.code) == (404, "enrolment-unknown"), (path, match)


async def test_a_promoter_brings_in_a_woman_and_then_acts_for_her(call_as: Callers) -> None:
    call_id = await published(call_as)
    new = await call_as("pia", "promoter").post("/persons", FACETS)
    assert new.body["id"] not in ("pia", "ana")
    assert new.headers["telar-position"] == f"enrollment/{new.body['id']}/1"
    helps = call_as("pia", "promoter", on_behalf_of=new.body["id"])
    begun = await helps.post("/enrolments", {"call_id": call_id})
    assert begun.body["person_id"] == new.body["id"]
    assert (await helps.post(f"/enrolments/{begun.body['id']}/submission")).status == 200
    alone = await call_as("pia", "promoter").get(f"/enrolments/{begun.body['id']}")
    assert alone.status == 404
    admission = f"/enrolments/{begun.body['id']}/admission"
    decided = await call_as("pia", "intake").post(admission, {"reason_codes": ["site-visited"]})
    assert (decided.status, decided.code) == (403, "helper-may-not-decide")


async def test_no_key_of_long_ago_shows_a_promoter_another_woman(tmp_path: Path) -> None:
    store = TickingStore()
    async with running(SERVICE, tmp_path, store, MemoryBus()) as service:
        pia = Callers(service, tmp_path)("pia", "promoter")
        first = await pia.post("/persons", FACETS, key="key-of-the-first")
        assert (await pia.post("/persons", FACETS, key="key-of-the-first")).body == first.body
        await store.forget([replies.COLLECTION])  # as it does after thirty days
        again = await pia.post("/persons", FACETS, key="key-of-the-first")
        assert (again.status, again.code) == (409, "key-used-before")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"municipality": "07999"}, 409, "municipality-unknown"),
        ({"municipality": "20067"}, 409, "municipality-not-in-state"),
        ({"state": "33"}, 422, None),
        ({"self_declared_woman": "yes"}, 422, None),
        ({"curp": "XEXX010101MNEXXXA4"}, 422, None),
    ],
)
async def test_facets_that_cannot_be_are_refused(
    call_as: Callers, change: dict[str, Any], status: int, code: str | None
) -> None:
    answer = await call_as("ana", "applicant").post("/persons", FACETS | change)
    assert answer.status == status
    assert code is None or answer.code == code
    assert "XEXX" not in str(answer.body)


async def test_a_call_that_an_officer_closed_takes_no_draft(call_as: Callers) -> None:
    call_id, ana = await published(call_as), call_as("ana", "applicant")
    await ana.post("/persons", FACETS)
    closed = await call_as("ines", "intake").post(f"/calls/{call_id}/closure")
    assert closed.body["status"] == "closed"
    assert (await ana.post("/enrolments", {"call_id": call_id})).code == "call-closed"
    assert (await ana.get("/calls", status="published")).body["items"] == []
    assert (await ana.get("/calls/nowhere")).code == "call-unknown"
