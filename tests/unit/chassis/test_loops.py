"""A loop of a service that ends by itself ends the process; one that is told to end does not."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from shared.chassis.memory import MemoryBus
from shared.chassis.runtime import Runtime
from tests.support import mini
from tests.support.app import running
from tests.support.wait import until
from tests.unit.chassis.test_core import Ticking

Signals = list[tuple[int, int]]


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> Signals:
    """What this process is sent."""
    sent: Signals = []

    def kill(pid: int, number: int) -> None:
        sent.append((pid, number))

    monkeypatch.setattr(os, "kill", kill)
    return sent


@pytest.fixture
async def runtime(tmp_path: Path, signals: Signals) -> AsyncIterator[Runtime]:
    async with running(mini.SHELF, tmp_path, Ticking(), MemoryBus()) as shelf:
        yield shelf.runtime
    assert len(signals) < 2, "a stop sends none"


async def fault() -> None:
    raise ValueError


async def strange() -> None:
    """A library cancels what the loop waits for."""
    waited = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(waited.cancel)
    await waited


@pytest.mark.parametrize("loop", [fault, strange])
async def test_one_that_ends_by_itself_ends_the_process(
    loop: Callable[[], Coroutine[Any, Any, None]], runtime: Runtime, signals: Signals
) -> None:
    runtime._spawn("sick", loop())

    async def sent() -> Signals:
        return signals

    assert await until(sent) == [(os.getpid(), signal.SIGTERM)]


async def test_one_that_is_cancelled_ends_alone(runtime: Runtime, signals: Signals) -> None:
    async def well() -> None:
        await asyncio.Event().wait()

    runtime._spawn("well", well())
    await asyncio.sleep(0)
    task = runtime._tasks["well"]
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not signals
