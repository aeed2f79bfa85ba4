"""Every operation of every service, with keys, bodies, ids and lists that cannot be."""

from collections.abc import AsyncIterator

import pytest

from shared.chassis.strict import BODY_BYTES
from tests.support.operations import UNKNOWN
from tests.support.spoilt import BODIES, CANARY
from tests.unit.bad_input.conftest import Target, wrong

pytestmark = pytest.mark.anyio

KEYS = (
    "",
    "short",
    "a" * 65,
    "with space1",
    "ñandú-123",
    CANARY + "\u0661",
    "semi;colon",
    "a,b,c,d,e",
)
NO_KEY: dict[str, None] = {"idempotency-key": None}
UNWRITTEN = {"not-restored", "resend-beyond-head"}
"""Orders that are refused before anything is kept of them: there is no answer to give again."""

IDS = (
    CANARY.upper(),
    f"{CANARY}%00",
    f"{CANARY}%0a",
    f"{CANARY}%20x",
    f"%7b{CANARY}%7d",
    f"{CANARY}%ed%a0%80",
    f"{CANARY}%c3%b1",
    f"{CANARY}.",
    f"-{CANARY}",
    f"{CANARY}$where",
    f"..%2f{CANARY}",
    CANARY * 20,
)
LISTS = {
    "limit": ("0", "-1", "101", "1.5", "1e2", CANARY, "9" * 400, "\u0661", "true", ""),
    "after": (CANARY, "/", "a/b/c", "a/b/-1", "a/b/1.5", "a/b/\u0661", f"a/b/{'9' * 30}"),
    "cursor": (
        CANARY,
        "\u00f1",
        "====",
        "W10=",
        "bnVsbA==",
        "WzEsMl0=",
        "W3siJG5lIjoxfSwiYSIsInBsYWluIl0=",
        "W1t7IiRndCI6MX1dLCJhIiwicGxhaW4iXQ==",
        "WzEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIsImEiLCJwbGFpbiJd",
        "W3RydWUsImEiLCJwbGFpbiJd",
        "WzEuNSwiYSIsInBsYWluIl0=",
        "WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzIzOjU5IiwiYSIsImF0Il0=",
        "WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwiYSIsImF0Il0=",
        "WzEsImEiLCJhdCJd",
        "WyJ4XHUwMDAwIiwiYSIsInBsYWluIl0=",
        "WyJ4IiwiYSIsIm90aGVyIl0=",
        "WyJ4Iix7IiRuZSI6MX0sInBsYWluIl0=",
    ),
}


async def test_a_command_needs_a_key(target: Target) -> None:
    found = {}
    for one in target.commands:
        answer = await target.send(one, headers=NO_KEY, json=one.example())
        found[one.name] = wrong(answer, 400, "idempotency-key-missing")
    assert set(found.values()) <= {""}, found


async def test_a_key_has_a_form(target: Target) -> None:
    found = {}
    for one in target.commands:
        for key in KEYS:
            headers = {"idempotency-key": key.encode()}
            answer = await target.send(one, headers=headers, json=one.example())
            if problem := wrong(answer, 400, "idempotency-key-malformed"):
                found[one.name, key] = problem
    assert found == {}


async def test_a_key_is_for_one_body(target: Target) -> None:
    found = {}
    for number, one in enumerate(target.commands):
        headers = target.bearer(one.role, "olga") | {"idempotency-key": f"one-body-{number}"}
        first, second = one.at(), one.at(tranche="2", **dict.fromkeys(one.params[:1], "b"))
        body, other = one.example(), one.example()
        if one.body is not None:
            second, other = first, one.other_example()
        kept = await target.send(one, first, headers=headers, json=body)
        answer = await target.send(one, second, headers=headers, json=other)
        problem = wrong(answer, 422, "idempotency-key-reused")
        if problem and answer.json().get("code") not in UNWRITTEN:
            found[one.name] = f"{problem}, after {kept.status_code} {kept.text}"
    assert found == {}


async def test_a_body_too_large_is_refused(target: Target) -> None:
    body = b'{"a": "' + b"x" * BODY_BYTES + b'"}'
    found = {}
    for one in target.commands:
        headers = {"content-type": "application/json"}
        answer = await target.send(one, headers=headers, content=body)
        found[one.name] = wrong(answer, 413, "body-too-large")
    assert set(found.values()) <= {""}, found


async def test_a_body_that_never_said_its_length_is_refused_when_it_gets_too_large(
    target: Target,
) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(BODY_BYTES // 1024 + 1):
            yield b"x" * 1024

    found = {}
    for one in target.commands:
        headers = {"content-type": "application/json"}
        answer = await target.send(one, headers=headers, content=parts())
        found[one.name] = wrong(answer, 413, "body-too-large")
    assert set(found.values()) <= {""}, found


async def test_a_large_body_that_is_only_announced_is_refused_unread(target: Target) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("read")
        yield b""

    found = {}
    for one in target.operations:
        for length in (str(BODY_BYTES + 1), "9" * 30):
            headers = {"content-length": length}
            answer = await target.send(one, headers=headers, content=never())
            if problem := wrong(answer, 413, "body-too-large"):
                found[one.name, length] = problem
    assert found == {}


async def test_a_body_is_json(target: Target) -> None:
    found = {}
    for one in target.commands:
        for media in ("text/plain", "application/x-www-form-urlencoded", "text/json", "", None):
            answer = await target.send(one, headers={"content-type": media}, content=b'{"a":1}')
            if problem := wrong(answer, 415, "content-type-unsupported"):
                found[one.name, media] = problem
    assert found == {}


async def test_what_two_readers_could_understand_differently_is_refused(target: Target) -> None:
    found = {}
    for one in target.commands:
        for what, body in BODIES.items():
            headers = {"content-type": "application/json; charset=utf-8"}
            answer = await target.send(one, headers=headers, content=body)
            if problem := wrong(answer, 400, "body-malformed"):
                found[one.name, what] = problem
    assert found == {}


async def test_an_unknown_id_is_not_found_or_the_list_is_empty(target: Target) -> None:
    found = {}
    for one in target.operations:
        if not one.params:
            continue
        answer = await target.send(one, json=one.example())
        empty = answer.status_code == 200 and answer.json().get("items") == []
        if not (empty or (answer.status_code == 404 and not wrong(answer, 404))):
            found[one.name] = answer.text[:200]
    assert found == {}


async def test_a_malformed_id_is_refused_and_not_repeated(target: Target) -> None:
    found = {}
    for one in target.operations:
        for name in one.params:
            for text in IDS:
                answer = await target.send(one, one.at(**{name: text}), json=one.example())
                if problem := wrong(answer, {404, 422}):
                    found[one.name, text] = problem
    assert found == {}


async def test_a_malformed_query_is_refused_and_not_repeated(target: Target) -> None:
    found = {}
    for one in target.operations:
        path = one.at(person_id=CANARY)
        for name in one.query:
            for text in LISTS.get(name, (CANARY.upper() + "!", "x" * 500, "\u0000")):
                answer = await target.send(one, path, params={name: text})
                if problem := wrong(answer, {400, 404, 422}):
                    found[one.name, name, text] = problem
    assert found == {}


async def test_another_method_is_not_allowed(target: Target) -> None:
    answer = await target.send(target.operations[0], "/" + UNKNOWN)
    assert wrong(answer, 404, "not-found") == ""
    for method in ("DELETE", "PATCH"):
        path = target.operations[0].at()
        url = ("/v1" if target.name == "gateway" else "") + path
        headers = target.bearer("operator")
        answer = await target.running.http.request(method, url, headers=headers)
        assert wrong(answer, 405, "method-not-allowed") == ""


async def test_an_id_may_be_as_long_as_its_form_allows(target: Target) -> None:
    found = {}
    for one in target.operations:
        for longest in ("a" * 120, "a" * 40):
            body = one.example()
            for name in body or {}:
                body[name] = longest if name.endswith("_id") else body[name]
            path = one.at(**dict.fromkeys(set(one.params) - {"tranche"}, longest))
            headers = target.bearer(one.role, "b" * 64)
            answer = await target.send(one, path, headers=headers, json=body)
            if answer.status_code >= 500:
                found[one.name, len(longest)] = answer.text[:200]
    assert found == {}


async def test_a_trace_of_another_form_goes_nowhere(target: Target) -> None:
    """It becomes a header of events: a letter that is not ASCII would stop every reader."""
    for one in target.operations:
        for trace in ("ñ" * 55, CANARY, "00-" + "a" * 32 + "-" + "b" * 16 + "-01-" + CANARY):
            headers = {"traceparent": trace.encode()}
            await target.send(one, headers=headers, json=one.example())
    assert [event for event in target.published() if event.get("traceparent")] == []
