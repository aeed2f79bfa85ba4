"""Passing calls on: what goes through, what does not, and what a caller hears instead."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from services.gateway import upstreams
from services.gateway.proxy import MAX_URL
from services.gateway.upstreams import Call, Pool
from shared.chassis.errors import Problem
from tests.unit.gateway.behind import NEVER, Gateway, Replicas, fails, fresh, said

ACCEPT = "/v1/awards/a1/acceptance"


async def test_a_query_reaches_its_service_with_what_it_needs(gateway: Gateway):
    answer = await gateway.get(
        "/v1/awards/a1?after=grants/ana/3&limit=2",
        correlation_id="thread-0001",
        traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01",
        telar_timeout_ms="3000",
        cookie="session=1",
        x_forwarded_host="elsewhere",
        connection="keep-alive",
    )
    [asked] = gateway.replicas.asked
    assert answer.status_code == 200
    assert str(asked.url) == "http://one/awards/a1?after=grants/ana/3&limit=2"
    assert asked.headers["correlation-id"] == "thread-0001"
    assert asked.headers["traceparent"].startswith("00-aaaa")
    assert asked.headers["telar-timeout-ms"] == "2900"
    assert asked.headers["authorization"].startswith("Bearer ")
    assert not {"cookie", "x-forwarded-host", "connection"} & set(asked.headers)
    assert answer.headers["correlation-id"] == "thread-0001"


async def test_a_correlation_is_made_where_there_is_none(gateway: Gateway):
    answer = await gateway.get("/v1/awards")
    made = answer.headers["correlation-id"]
    assert len(made) >= 8
    assert gateway.replicas.asked[0].headers["correlation-id"] == made


async def test_a_command_goes_on_with_its_key_and_bytes(gateway: Gateway):
    gateway.replicas.does["one"] = said(
        201, {"id": "a1"}, telar_position="grants/ana/4", etag='"3"'
    )
    answer = await gateway.post(ACCEPT, b'{"a": 1}', idempotency_key="key-00000001", if_match='"2"')
    [asked] = gateway.replicas.asked
    assert asked.content == b'{"a": 1}'
    assert asked.headers["idempotency-key"] == "key-00000001"
    assert asked.headers["if-match"] == '"2"'
    assert (answer.status_code, answer.json()) == (201, {"id": "a1"})
    assert answer.headers["telar-position"] == "grants/ana/4"
    assert answer.headers["etag"] == '"3"'


async def test_what_belongs_to_the_connection_or_the_service_does_not_come_back(gateway: Gateway):
    gateway.replicas.does["one"] = said(
        200, {}, connection="x-secret", x_secret="1", set_cookie="a=b", server="grants/1"
    )
    answer = await gateway.get("/v1/awards")
    assert not {"connection", "x-secret", "set-cookie", "server"} & set(answer.headers)
    await gateway.get("/v1/awards")
    assert "cookie" not in gateway.replicas.asked[1].headers


async def test_a_problem_of_the_service_is_passed_on_as_it_is(gateway: Gateway):
    gateway.replicas.does["one"] = said(409, {"code": "award-offer-expired"}, retry_after="7")
    answer = await gateway.get("/v1/awards/a1")
    assert (answer.status_code, answer.json()["code"]) == (409, "award-offer-expired")
    assert answer.headers["retry-after"] == "7"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/nothing",
        "/v1/awards/",
        "/v1/awards//acceptance",
        "/v1/awards/%2e%2e",
        "/v1/awards/..%2Facceptance",
        "/v1/awards/a%2Facceptance",
        "/v1/awards/a%5Cacceptance",
        "/awards/a1",
        "/v1",
        "/v1x/awards",
        "/v10/awards",
        "/v1@evil.example/awards",
        "/v1@evil.example:8080/awards",
        "/v1:8080/awards",
        "/v1/v1/awards",
        "/indicators/states",
        "/",
    ],
)
async def test_a_path_that_is_nobodys_is_not_found(gateway: Gateway, path: str):
    answer = await gateway.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
    assert answer.headers["content-type"] == "application/problem+json"
    assert gateway.replicas.asked == []


@pytest.mark.parametrize("path", ["/v1/awards?limit=", "/v1/awards/"])
async def test_an_address_that_is_too_long_is_refused(gateway: Gateway, path: str):
    answer = await gateway.get(path + "1" * MAX_URL)
    assert (answer.status_code, answer.json()["code"]) == (414, "url-too-long")
    assert gateway.replicas.asked == []


@pytest.mark.parametrize("target", ["@evil.example/awards", ":8080/awards", "/a\nb", "/a?\x7f"])
async def test_nothing_that_is_asked_for_names_another_host(target: str):
    replicas = Replicas()
    call = Call("GET", target, [], b"", safe=True)
    with pytest.raises(Problem, match="body-malformed"):
        await Pool("grants", ["http://one:7401"], replicas).ask(call, 1.0)
    assert replicas.asked == []


async def test_what_cannot_be_said_to_a_service_is_refused(gateway: Gateway):
    gateway.replicas.does["one"] = fails(httpx2.LocalProtocolError)
    answer = await gateway.get("/v1/awards")
    assert (answer.status_code, answer.json()["code"]) == (400, "body-malformed")


async def test_blanks_around_what_a_header_says_are_no_part_of_it(gateway: Gateway):
    await gateway.get("/v1/awards", if_none_match='"3" \t')
    assert gateway.replicas.asked[0].headers["if-none-match"] == '"3"'


async def test_another_method_is_told_which_are_allowed(gateway: Gateway):
    answer = await gateway.post("/v1/awards/a1")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")
    assert answer.json()["code"] == "method-not-allowed"


@pytest.mark.parametrize(
    ("authorization", "code"), [("", "token-missing"), ("Bearer x", "token-malformed")]
)
async def test_nobody_passes_without_a_token(gateway: Gateway, authorization: str, code: str):
    answer = await gateway.http.get("/v1/awards", headers={"authorization": authorization})
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert gateway.replicas.asked == []


async def test_replicas_are_asked_in_turn(gateway: Gateway):
    gateway.replicate("one", "two", "three")
    for _ in range(6):
        await gateway.get("/v1/awards")
    assert sorted(gateway.replicas.hosts) == ["one", "one", "three", "three", "two", "two"]


async def test_a_replica_that_refuses_connections_is_passed_by(gateway: Gateway):
    gateway.replicate("one", "two")
    gateway.replicas.does["one"] = fails(httpx2.ConnectError)
    answers = [await gateway.post(ACCEPT) for _ in range(6)]
    assert {answer.status_code for answer in answers} == {200}
    assert gateway.replicas.hosts.count("one") == 1  # then it is known to be down


async def test_a_replica_that_starts_or_stops_is_passed_by(gateway: Gateway):
    gateway.replicate("one", "two")
    gateway.replicas.does["one"] = said(503, {"code": "not-ready"}, retry_after="1")
    answers = [await gateway.post(ACCEPT, idempotency_key="key-00000001") for _ in range(6)]
    assert {answer.status_code for answer in answers} == {200}
    assert gateway.replicas.hosts.count("one") == 1  # then it is known to be down


async def test_a_service_of_which_no_replica_is_ready_is_away(gateway: Gateway):
    gateway.replicas.does["one"] = said(503, {"code": "not-ready"}, retry_after="1")
    answer = await gateway.post(ACCEPT, idempotency_key="key-00000001")
    assert (answer.status_code, answer.json()["code"]) == (503, "upstream-unavailable")


@pytest.mark.parametrize("error", [httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout])
async def test_a_service_that_is_away_is_a_503_with_when_to_come_back(
    gateway: Gateway, error: type[httpx2.TransportError]
):
    gateway.replicas.does["one"] = fails(error)
    answer = await gateway.post(ACCEPT)
    assert (answer.status_code, answer.json()["code"]) == (503, "upstream-unavailable")
    assert answer.headers["retry-after"] == "1"


async def test_a_service_nobody_told_the_address_of_is_away_too(gateway: Gateway):
    answer = await gateway.get("/v1/fairs")
    assert (answer.status_code, answer.json()["code"]) == (503, "upstream-unavailable")


@pytest.mark.parametrize("error", [httpx2.ReadError, httpx2.RemoteProtocolError, httpx2.WriteError])
async def test_a_command_that_may_have_arrived_is_not_sent_again_without_a_key(
    gateway: Gateway, error: type[httpx2.TransportError]
):
    gateway.replicate("one", "two")
    gateway.replicas.does = {"one": fails(error), "two": fails(error)}
    answer = await gateway.post(ACCEPT)
    assert (answer.status_code, answer.json()["code"]) == (503, "outcome-unknown")
    assert len(gateway.replicas.asked) == 1


async def test_with_a_key_the_next_replica_is_asked(gateway: Gateway):
    gateway.replicate("one", "two")
    gateway.replicas.does["one"] = fails(httpx2.ReadError)
    for _ in range(2):  # whichever comes first
        answer = await gateway.post(ACCEPT, idempotency_key="key-00000001")
        assert answer.status_code == 200
    assert gateway.replicas.hosts.count("one") == 1


async def test_a_query_that_breaks_everywhere_is_a_502(gateway: Gateway):
    gateway.replicas.does["one"] = fails(httpx2.RemoteProtocolError)
    answer = await gateway.get("/v1/awards")
    assert (answer.status_code, answer.json()["code"]) == (502, "upstream-broken")
    assert len(gateway.replicas.asked) == 2


async def test_an_answer_without_end_is_a_502(gateway: Gateway, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("services.gateway.upstreams.MAX_ANSWER", 10)
    gateway.replicas.does["one"] = said(200, ["x" * 20])
    answer = await gateway.get("/v1/awards")
    assert (answer.status_code, answer.json()["code"]) == (502, "upstream-broken")


@pytest.mark.parametrize("status", [199, 600, 999])
async def test_a_status_that_is_none_is_a_502(gateway: Gateway, status: int):
    gateway.replicas.does["one"] = said(status)
    answer = await gateway.get("/v1/awards")
    assert (answer.status_code, answer.json()["code"]) == (502, "upstream-broken")


async def test_a_service_that_is_slow_is_a_504(gateway: Gateway):
    gateway.replicas.does["one"] = fails(httpx2.ReadTimeout)
    answer = await gateway.post(ACCEPT, idempotency_key="key-00000001")
    assert (answer.status_code, answer.json()["code"]) == (504, "upstream-timeout")
    assert len(gateway.replicas.asked) == 1


async def test_a_service_that_never_answers_is_a_504_at_the_callers_deadline(gateway: Gateway):
    gateway.replicas.does["one"] = NEVER
    async with asyncio.timeout(2):
        answer = await gateway.get("/v1/awards", telar_timeout_ms="50")
    assert (answer.status_code, answer.json()["code"]) == (504, "upstream-timeout")


@pytest.mark.parametrize(("patient", "left"), [(0.05, 1), (5.0, 3)])
async def test_a_replica_that_gave_a_patient_caller_no_answer_is_tried_last(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, patient: float, left: int
):
    monkeypatch.setattr(upstreams, "PATIENT_SECONDS", patient)
    gateway.replicate("one", "two")
    gateway.replicas.does["two"] = NEVER
    codes = [(await gateway.get("/v1/awards", telar_timeout_ms="50")).status_code for _ in "123456"]
    assert sorted(codes) == [200] * (6 - left) + [504] * left


@pytest.mark.parametrize(
    ("asked", "told"),
    [("3000", "2900"), ("150", "75"), ("1", "1"), ("0", "1"), ("-5", "9900"), ("9e9", "9900")],
)
async def test_a_service_is_told_a_shorter_deadline(gateway: Gateway, asked: str, told: str):
    await gateway.get("/v1/awards", telar_timeout_ms=asked)
    assert gateway.replicas.asked[0].headers["telar-timeout-ms"] == told


async def test_a_body_too_large_is_refused_before_it_is_sent(gateway: Gateway):
    answer = await gateway.post(ACCEPT, b"x" * (64 * 1024 + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    assert gateway.replicas.asked == []


async def test_a_body_that_is_only_announced_is_refused_unread(gateway: Gateway):
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("read")
        yield b""

    headers = gateway.bearer() | {"content-length": "9999999"}
    answer = await gateway.http.post(ACCEPT, content=never(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")


async def test_a_caller_who_asks_too_often_waits_and_others_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    gateway = fresh(tmp_path, monkeypatch, rate=0.5, burst=3)
    gateway.replicate("one")
    codes = [(await gateway.get("/v1/awards")).status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]
    limited = await gateway.get("/v1/awards")
    assert limited.json()["code"] == "rate-limited"
    assert limited.headers["retry-after"] == "2"
    assert (await gateway.get("/v1/awards", subject="beatriz")).status_code == 200


async def test_guessing_tokens_is_limited_by_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    gateway = fresh(tmp_path, monkeypatch, rate=0.5, burst=3)
    headers = {"authorization": "Bearer a.b.c"}
    codes = [(await gateway.http.get("/v1/awards", headers=headers)).status_code for _ in range(4)]
    assert codes == [401, 401, 401, 429]
    assert (await gateway.get("/v1/awards")).status_code == 200
