"""What refers to itself is freed soon after a client of Kafka was let go, not by chance later."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from shared.chassis.kafka import clients
from tests.support.wait import until


class Part:
    """Of a client: it knows the whole, and the whole knows it."""

    def __init__(self) -> None:
        self.whole = self


@pytest.fixture
def _seldom() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_seldom")
async def test_what_a_client_leaves_is_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_SOON", 0.02)
    part = weakref.ref(Part())
    clients.forget()

    async def is_gone() -> bool:
        return part() is None

    assert not await is_gone()
    await until(is_gone)
