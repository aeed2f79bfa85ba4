"""Time is the database's, whatever this machine's clock does."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from shared.chassis.clock import Clock
from shared.chassis.memory import MemoryStore


class Ticking(MemoryStore):
    """A database whose clock goes on by the monotonic one."""

    start = time.time() - time.monotonic()

    async def time(self) -> datetime:
        return datetime.fromtimestamp(self.start + time.monotonic(), UTC)


@pytest.mark.parametrize("jump", [timedelta(hours=2), -timedelta(hours=2), timedelta(days=2)])
async def test_a_jump_of_the_machines_clock_moves_no_deadline(
    jump: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, true = Clock(Ticking()), time.time
    await clock.sync()
    before = clock.now()
    monkeypatch.setattr(time, "time", lambda: true() + jump.total_seconds())
    assert timedelta() <= clock.now() - before < timedelta(minutes=1)
    assert clock.trusted, "it cannot know yet"
    await clock.sync()
    assert timedelta() <= clock.now() - before < timedelta(minutes=1)
    assert not clock.trusted


async def test_the_databases_time_counts_and_not_the_machines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    true = time.time
    monkeypatch.setattr(time, "time", lambda: true() + 3600)
    clock = Clock(Ticking())
    await clock.sync()
    assert abs(clock.now().timestamp() - true()) < 60
    assert clock.skew < -3500
