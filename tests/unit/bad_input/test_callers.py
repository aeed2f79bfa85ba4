"""Every operation of every service, called by nobody known, or by somebody in the wrong role."""

import pytest

from shared.chassis.auth import ROLES
from tests.support.spoilt import authorizations
from tests.unit.bad_input.conftest import Target, wrong

pytestmark = pytest.mark.anyio

SHARE = 3
"""Each operation meets one in three of the spoilt tokens, and each of them many operations."""


async def test_no_operation_opens_without_a_good_token(target: Target) -> None:
    tries = list(authorizations(target.keys).items())
    found = {}
    for number, one in enumerate(target.operations):
        for what, header in tries[number % SHARE :: SHARE]:
            answer = await target.send(one, headers={"authorization": header}, json=one.example())
            if problem := wrong(answer, 401):
                found[one.name, what] = problem
            assert answer.headers["www-authenticate"] == "Bearer"
    assert found == {}


async def test_nothing_is_read_from_a_caller_who_is_not_known(target: Target) -> None:
    found = {}
    for one in target.commands:
        headers = {"authorization": None, "content-type": "text/plain"}
        answer = await target.send(one, headers=headers, content=b"\xff")
        found[one.name] = wrong(answer, 401, "token-missing")
    assert set(found.values()) <= {""}, found


async def test_nothing_is_read_from_a_caller_in_the_wrong_role(target: Target) -> None:
    spoilt = [("text/plain", b"\xff"), ("application/json", b"{"), ("application/json", b'{"x":1}')]
    found = {}
    for number, one in enumerate(target.commands):
        roles = sorted(ROLES - one.roles)
        headers = target.bearer(roles[number % len(roles)])
        for media, body in spoilt:
            given = headers | {"content-type": media}
            answer = await target.send(one, headers=given, content=body)
            if problem := wrong(answer, 403, "role-missing"):
                found[one.name, body] = problem
    assert found == {}


async def test_every_operation_is_closed_to_every_role_that_its_document_does_not_name(
    target: Target,
) -> None:
    found = {}
    for one in target.operations:
        for role in ROLES - one.roles:
            headers = target.bearer(role)
            answer = await target.send(one, headers=headers, json=one.example())
            # Hers and not this caller's: that it is there at all is not said.
            hidden = {404} if "person_id" in one.params else set[int]()
            if problem := wrong(answer, {403} | hidden):
                found[one.name, role] = problem
    assert found == {}


async def test_every_operation_is_open_to_every_role_that_its_document_names(
    target: Target,
) -> None:
    found = {}
    for one in target.operations:
        for role in one.roles:
            headers = target.bearer(role)
            answer = await target.send(one, headers=headers, json=one.example())
            if answer.status_code in (401, 403, 500, 503):
                found[one.name, role] = answer.text[:200]
    assert found == {}
