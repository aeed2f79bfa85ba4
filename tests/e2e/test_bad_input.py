"""Bad input over real HTTP, through the gateway: a sample of what unit tests try in breadth."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest

from deploy.local.platform import Platform
from tests.e2e.api import Api
from tests.e2e.scenes import Programme, Woman
from tests.support.operations import Operation, operations, services
from tests.support.spoilt import BODIES, CANARY, authorizations

EVERYTHING = [one for service in services() for one in operations(service)]
COMMANDS = [one for one in EVERYTHING if one.is_command]
KEY = {"idempotency-key": "bad-input-key"}
JSON = {"content-type": "application/json"}
PUBLIC = {"call_id", "course_id", "cohort_id", "pool_id", "round_id", "fair_id", "tranche"}
"""Names in paths that are nobody's own."""


async def send(api: Api, one: Operation, path: str = "", **request: Any) -> httpx2.Response:
    """Call an operation as one who may, unless headers say otherwise."""
    token = {"authorization": f"Bearer {api.token(f'{one.role}-7', one.role)}"}
    headers = token | KEY | request.pop("headers", {})
    kept = {name: value for name, value in headers.items() if value is not None}
    return await api.http.request(one.method, path or one.at(), headers=kept, **request)


def wrong(answer: httpx2.Response, *expected: object) -> str:
    """What is not as it must be; empty when all is."""
    problem = answer.json()
    if (answer.status_code, problem["code"])[: len(expected)] != expected:
        return f"{answer.status_code} {problem['code']}"
    if answer.headers["content-type"] != "application/problem+json":
        return answer.headers["content-type"]
    return "it repeats what was sent" if CANARY in answer.text.lower() else ""


async def test_no_spoilt_token_opens_anything(api: Api, platform: Platform) -> None:
    keys: Path = platform.folders.keys
    found = {}
    for number, (what, header) in enumerate(authorizations(keys).items()):
        one = EVERYTHING[number % len(EVERYTHING)]
        answer = await send(api, one, headers={"authorization": header}, json=one.example())
        found[what] = wrong(answer, 401)
    assert set(found.values()) == {""}, found


async def test_every_operation_is_closed_to_a_role_it_does_not_name(api: Api) -> None:
    found = {}
    for one in EVERYTHING:
        role = "reviewer" if "reviewer" not in one.roles else "service"
        if role not in one.roles:
            headers = {"authorization": f"Bearer {api.token('rosa', role)}"}
            answer = await send(api, one, headers=headers, json=one.example())
            hidden = answer.status_code == 404 and "person_id" in one.params
            found[one.name] = "" if hidden else wrong(answer, 403, "role-missing")
    assert len(found) > 40
    assert set(found.values()) == {""}, found


async def test_no_command_takes_a_broken_request(api: Api) -> None:
    large = b'{"a": "' + b"x" * 70_000 + b'"}'
    found = {}
    for one in COMMANDS:
        body = one.example()
        for answer, expected in (
            (
                await send(api, one, headers={"idempotency-key": None}, json=body),
                (400, "idempotency-key-missing"),
            ),
            (await send(api, one, headers=JSON, content=large), (413, "body-too-large")),
            (
                await send(api, one, headers={"content-type": "text/plain"}, content=b"{}"),
                (415, "content-type-unsupported"),
            ),
            (await send(api, one, json={f"{CANARY}x": CANARY}), (422, "body-invalid")),
        ):
            found[one.name, expected] = wrong(answer, *expected)
    assert set(found.values()) == {""}, {case: said for case, said in found.items() if said}


async def test_no_body_passes_that_two_readers_could_understand_differently(api: Api) -> None:
    found = {}
    for number, (what, body) in enumerate(BODIES.items()):
        one = COMMANDS[number * 7 % len(COMMANDS)]
        answer = await send(api, one, headers=JSON, content=body)
        found[what] = wrong(answer, 400, "body-malformed")
    assert set(found.values()) == {""}, found


async def test_a_service_that_is_called_directly_refuses_an_announced_body_unread(
    platform: Platform,
) -> None:
    for service in services():
        [url, *_] = platform.urls(service)
        host, _, port = url.removeprefix("http://").partition(":")
        asked = f"POST /x HTTP/1.1\r\nhost: {host}\r\ncontent-length: 9999999\r\n\r\n"
        answer = await raw(host, int(port), asked.encode())
        assert answer.startswith(b"HTTP/1.1 413 "), service
        assert b'"body-too-large"' in answer


async def raw(host: str, port: int, request: bytes) -> bytes:
    """What comes back at once for these bytes, sent without the body that they announce."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(request)
        await writer.drain()
        async with asyncio.timeout(5):
            head = await reader.readuntil(b"\r\n\r\n")
            return head + await reader.read(4096)
    finally:
        writer.close()


@pytest.fixture
async def ana(api: Api) -> Woman:
    """A woman with one of everything."""
    programme = await Programme(api).publish()
    ana = await programme.woman()
    await ana.ask_seat()
    await ana.win()
    await ana.accept_award()
    await ana.complete()
    await ana.ask_place()
    await ana.officer("treasurer").do(f"/awards/{ana.award_id}/tranches/1/payment")
    return ana


async def hers(api: Api, ana: Woman) -> dict[str, str]:
    """The ids of what is hers, by the names that paths give them."""
    operator = api("olga", "operator")
    business = await operator.get(f"/persons/{ana.id}/businesses")
    payment = await operator.get(f"/persons/{ana.id}/payments")
    return {
        "person_id": ana.id,
        "business_id": business.body["items"][0]["id"],
        "enrolment_id": ana.enrolment_id,
        "seat_id": ana.seat_id,
        "certificate_id": f"{ana.id}:{ana.programme.course_id}",
        "application_id": ana.award_id,
        "award_id": ana.award_id,
        "payment_id": payment.body["items"][0]["id"],
        "place_id": ana.place_id,
    }


async def test_another_womans_records_do_not_exist(api: Api, ana: Woman) -> None:
    ids = await hers(api, ana)
    eva = {"authorization": f"Bearer {api.token('eva', 'applicant')}"}
    found: dict[str, str] = {}
    for one in EVERYTHING:
        if "applicant" in one.roles and set(one.params) - PUBLIC:
            unknown = set(one.params) - PUBLIC - ids.keys()
            assert not unknown, f"teach this test what {unknown} of hers is"
            key = {"idempotency-key": f"eva-{len(found)}-of-bad-input"}
            answer = await send(api, one, one.at(**ids), headers=eva | key, json=one.example())
            found[one.name] = wrong(answer, 404)
    assert len(found) > 15
    assert set(found.values()) == {""}, found


async def test_commands_out_of_order_are_refused_with_what_stands_in_their_way(
    api: Api, ana: Woman
) -> None:
    eva = await ana.programme.woman()
    assert (await eva.ask_seat(), await eva.win()) == ("waitlisted", "waitlisted")
    present, money = {"session": 1, "state": "present"}, {"amount": 1_000_000}
    mistake = {"reason_code": "proposed-by-mistake"}
    early_or_late: list[tuple[str, str, dict[str, Any] | None, str]] = [
        (eva.id, f"/seats/{eva.seat_id}/acceptance", None, "seat-not-offered"),
        ("trainer", f"/seats/{eva.seat_id}/attendance", present, "seat-not-confirmed"),
        ("trainer", f"/seats/{eva.seat_id}/completion", None, "seat-not-confirmed"),
        (eva.id, f"/awards/{eva.award_id}/acceptance", None, "award-not-offered"),
        ("treasurer", f"/awards/{eva.award_id}/tranches/1/payment", None, "award-not-accepted"),
        ("reviewer", f"/applications/{eva.award_id}/proposal", money, "application-not-open"),
        ("trainer", f"/seats/{ana.seat_id}/attendance", present, "seat-closed"),
        (ana.id, f"/applications/{ana.award_id}/withdrawal", None, "application-awarded"),
        ("approver", f"/awards/{ana.award_id}/cancellation", mistake, "award-already-accepted"),
        ("approver", f"/awards/{ana.award_id}/tranches/1/return", None, "tranche-not-held"),
        (ana.id, f"/places/{eva.place_id}/confirmation", None, "not-found"),
    ]
    found = {}
    for who, path, body, code in early_or_late:
        caller = api(who, "applicant") if "-" in who else api(f"{who}-1", who)
        answer = await caller.ask(path, body)
        found[path] = "" if answer.code == code else f"{answer.code}, not {code}"
    assert set(found.values()) == {""}, found
