"""What the gateway shows of itself: one document, all codes, the key set, and tokens."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from services.gateway import documents
from services.gateway.limits import Limits
from services.gateway.table import Table
from shared.chassis.auth import Verifier
from shared.chassis.errors import Problem
from tests.unit.gateway.behind import GRANTS, TRADE, Gateway, fresh


async def test_the_public_document_holds_every_service_under_v1(gateway: Gateway):
    answer = await gateway.http.get("/v1/openapi.json")
    document = answer.json()
    assert {
        "/v1/awards/{award_id}/acceptance",
        "/v1/fairs",
        "/v1/persons/{person_id}/timeline",
        "/v1/indicators/states",
        "/v1/operations/gateway",
        "/v1/codes",
        "/v1/tokens",
        "/.well-known/jwks.json",
    } <= set(document["paths"])
    schemas = document["components"]["schemas"]
    assert (schemas["grants.View"], schemas["trade.View"]) == (
        {"title": "AwardView"},
        {"title": "FairView"},
    )
    shown = document["paths"]["/v1/awards/{award_id}"]["get"]
    assert shown["operationId"] == "grants_get_award"
    assert "'#/components/schemas/grants.View'" in str(shown)


async def test_every_reference_of_the_public_document_leads_somewhere(gateway: Gateway):
    document = (await gateway.http.get("/v1/openapi.json")).json()
    text = json.dumps(document)
    named = {part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]}
    assert named <= set(document["components"]["schemas"])


async def test_the_page_lists_the_operations_and_loads_nothing(gateway: Gateway):
    for path in ("/docs", "/v1/docs"):
        page = (await gateway.http.get(path)).text
        assert "/v1/awards/{award_id}/acceptance" in page
        assert "http" not in page.lower().replace("<!doctype html><html", "").replace("</html", "")


async def test_the_codes_of_platform_and_services_have_their_texts(gateway: Gateway):
    shown = (await gateway.http.get("/v1/codes")).json()
    assert shown["language"] == "es-MX"
    assert shown["codes"]["award-unknown"] == "No encontramos ese apoyo."
    assert "token-expired" in shown["codes"]


def test_a_code_with_two_texts_stops_the_start():
    other = deepcopy(TRADE)
    other["x-telar-codes"]["award-unknown"] = "Otro texto."
    with pytest.raises(ValueError, match=r"award-unknown \(trade\)"):
        documents.codes({"grants": GRANTS, "trade": other})


def test_two_services_cannot_claim_one_path():
    other = deepcopy(TRADE)
    other["paths"]["/awards/{id}"] = {"get": {}}
    with pytest.raises(ValueError, match=r"GET /awards/\{id\} of trade is also grants's"):
        Table({"grants": GRANTS, "trade": other})


def test_a_literal_segment_comes_before_a_parameter_and_gives_way_to_it():
    document: dict[str, Any] = {
        "paths": {"/a/{id}/x": {"get": {}}, "/a/mine": {"get": {}}, "/a/mine/y": {"put": {}}}
    }
    table = Table({"s": document})
    assert table.find("/a/mine")["GET"].path == "/a/mine"
    assert table.find("/a/mine/x")["GET"].path == "/a/{id}/x"
    assert not table.find("/a/other")


def test_documents_are_found_by_folder(tmp_path: Path):
    for service in ("grants", "gateway"):
        (tmp_path / service).mkdir()
        (tmp_path / service / "openapi.json").write_text(json.dumps(GRANTS))
    assert documents.committed(tmp_path) == {"gateway": GRANTS, "grants": GRANTS}


def test_the_committed_documents_fit_together():
    everything = documents.committed()
    assert Table(everything).find("/persons/ana/timeline")["GET"].service == "gateway"
    operations = [
        operation["operationId"]
        for path in documents.merge(everything)["paths"].values()
        for operation in path.values()
    ]
    assert len(operations) == len(set(operations))


def test_every_command_says_that_it_needs_a_key():
    missing = [
        f"{name} {method} {path}"
        for name, document in documents.committed().items()
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
        if method != "get"
        and [one["required"] for one in operation["parameters"] if one["name"] == "idempotency-key"]
        != [True]
    ]
    assert missing == []


def test_no_committed_code_has_two_texts():
    assert documents.codes(documents.committed())


async def test_the_key_set_is_published(gateway: Gateway):
    answer = await gateway.http.get("/.well-known/jwks.json")
    assert answer.content == gateway.issuer.key_set()


async def test_a_refresh_token_brings_an_access_token(gateway: Gateway):
    refresh = gateway.issuer.refresh_token("helper", ["promoter"], "ana")
    answer = await gateway.http.post("/v1/tokens", json={"refresh_token": refresh})
    token = answer.json()
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 600)
    assert answer.headers["cache-control"] == "no-store"
    caller = Verifier(gateway.settings.jwks).verify(token["access_token"])
    assert (caller.subject, caller.on_behalf_of) == ("helper", "ana")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"refresh_token": "a.b.c"}', 401, "token-malformed"),
        (b'{"refresh_token": 7}', 422, "body-invalid"),
        (b'{"refresh_token": "a", "role": "operator"}', 422, "body-invalid"),
        (b"[]", 422, "body-invalid"),
        (b"{", 400, "body-malformed"),
        (b'{"refresh_token": "a", "refresh_token": "b"}', 400, "body-malformed"),
        (b"x" * 70_000, 413, "body-too-large"),
    ],
)
async def test_what_is_no_refresh_token_brings_nothing(
    gateway: Gateway, body: bytes, status: int, code: str
):
    answer = await gateway.post("/v1/tokens", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_an_access_token_is_no_refresh_token(gateway: Gateway):
    access = gateway.issuer.access_token("ana", ["applicant"])
    answer = await gateway.http.post("/v1/tokens", json={"refresh_token": access})
    assert (answer.status_code, answer.json()["code"]) == (401, "token-invalid")


async def test_only_json_is_read(gateway: Gateway):
    answer = await gateway.post("/v1/tokens", b"{}", content_type="text/plain")
    assert (answer.status_code, answer.json()["code"]) == (415, "content-type-unsupported")


async def test_no_origin_may_call_unless_it_is_named(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    origin = {"origin": "https://portal.example"}
    asked = {**origin, "access-control-request-method": "POST"}
    closed = await gateway.http.options("/v1/awards", headers=asked)
    assert "access-control-allow-origin" not in closed.headers
    named = fresh(tmp_path / "named", monkeypatch, cors_origins=["https://portal.example"])
    opened = await named.http.options("/v1/awards", headers=asked)
    assert opened.headers["access-control-allow-origin"] == "https://portal.example"
    refused = await named.http.get("/v1/awards", headers=origin)
    assert (refused.status_code, refused.json()["code"]) == (401, "token-missing")
    assert refused.headers["access-control-allow-origin"] == "https://portal.example"


def test_a_bucket_fills_again_and_memory_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("services.gateway.limits.MAX_CALLERS", 3)
    now = [0.0]
    limits = Limits(rate=2, burst=1, clock=lambda: now[0])
    limits.take("ana")
    with pytest.raises(Problem) as limited:
        limits.take("ana")
    assert limited.value.headers == {"retry-after": "1"}
    now[0] += 0.5
    limits.take("ana")
    for caller in "abcdef":
        limits.take(caller)
    assert len(limits) == 3
