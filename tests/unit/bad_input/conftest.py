"""Each service once for all tests of this folder: what is refused changes nothing."""

import importlib
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest

from shared.chassis.operations import orders
from shared.chassis.tokens import Issuer
from tests.support.app import Running, running
from tests.support.operations import Operation, operations, services
from tests.support.shared import SharedBus, SharedStore, generations
from tests.support.spoilt import CANARY


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Target:
    """One service, and how its operations are called."""

    name: str
    keys: Path
    running: Running
    operations: list[Operation]

    @property
    def commands(self) -> list[Operation]:
        """What changes something."""
        return [one for one in self.operations if one.is_command]

    def published(self) -> list[Any]:
        """Every event in its outbox."""
        store = cast("SharedStore", self.running.runtime.store)
        return [event for one in store.all("outbox") for event in one["events"]]

    def bearer(self, role: str, subject: str = CANARY) -> dict[str, str]:
        """The header of somebody with one role."""
        token = Issuer(self.keys).access_token(subject, [role])  # type: ignore[list-item]
        return {"authorization": f"Bearer {token}"}

    async def send(self, operation: Operation, path: str = "", **request: Any) -> httpx2.Response:
        """Call it, as one who may unless headers say otherwise, with a key of its own."""
        given = {name.lower(): value for name, value in request.pop("headers", {}).items()}
        headers = self.bearer(operation.role) | {"idempotency-key": uuid.uuid4().hex} | given
        kept = {name: value for name, value in headers.items() if value is not None}
        url = ("/v1" if self.name == "gateway" else "") + (path or operation.at())
        return await self.running.http.request(operation.method, url, headers=kept, **request)


@pytest.fixture(scope="session")
async def targets(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Target]]:
    """Every service, on one bus."""
    keys, bus, found = tmp_path_factory.mktemp("keys"), SharedBus(), dict[str, Target]()
    async with AsyncExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:  # only while they are made
            for limit in ("GATEWAY_RATE", "GATEWAY_BURST"):
                patch.setenv(limit, "1000000")
            patch.setattr(orders, "ORDERS_A_MINUTE", 1_000_000)
            for name in services():
                service = importlib.import_module(f"services.{name}.app").SERVICE
                started = running(service, keys, None, None, connect=generations(bus))
                one = await stack.enter_async_context(started)
                del one.http.headers["authorization"]
                found[name] = Target(name, keys, one, operations(name))
        yield found


@pytest.fixture(params=services())
def target(request: pytest.FixtureRequest, targets: dict[str, Target]) -> Target:
    return targets[request.param]


def wrong(answer: httpx2.Response, status: int | set[int], code: str = "") -> str:
    """What is not as it must be in a refusal; empty when all is."""
    statuses = status if isinstance(status, set) else {status}
    problem = "json" in answer.headers.get("content-type", "") and answer.json()
    if answer.status_code not in statuses or not problem:
        return f"{answer.status_code} {answer.text[:200]}"
    if answer.headers["content-type"] != "application/problem+json":
        return answer.headers["content-type"]
    if code and problem["code"] != code:
        return f"{answer.status_code} {problem['code']}"
    said = answer.text + str(dict(answer.headers))
    return "it repeats what was sent" if CANARY in said.lower() else ""
