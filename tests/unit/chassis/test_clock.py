"""The database's clock, whatever is done to the one of this machine."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from shared.chassis import clock
from shared.chassis.clock import Clock
from shared.chassis.memory import MemoryStore

THERE = datetime(2026, 3, 2, 12, tzinfo=UTC)


async def test_it_tells_the_time_of_the_database_and_how_far_this_machine_is_off() -> None:
    store = MemoryStore()
    store.now = datetime.fromtimestamp(time.time(), UTC) + timedelta(seconds=30)
    kept = Clock(store)
    assert kept.trusted
    await kept.sync()
    assert abs((kept.now() - store.now).total_seconds()) < 1.0
    assert not kept.trusted


async def test_a_machine_whose_clock_is_set_moves_no_instant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore()
    store.now = datetime.fromtimestamp(time.time(), UTC)
    kept = Clock(store)
    await kept.sync()
    true = time.time
    monkeypatch.setattr(clock.time, "time", lambda: true() + 7200)
    assert abs((kept.now() - store.now).total_seconds()) < 1.0
    await kept.sync()
    assert not kept.trusted


async def test_an_answer_that_took_too_long_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = MemoryStore()
    store.now = THERE
    kept = Clock(store)
    await kept.sync()
    true, asked = time.monotonic, iter((0.0, 25.0))
    monkeypatch.setattr(clock.time, "monotonic", lambda: true() + next(asked, 25.0))
    await kept.sync()
    assert abs((kept.now() - THERE).total_seconds() - 25.0) < 1.0
