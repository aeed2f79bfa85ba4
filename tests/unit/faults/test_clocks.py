"""A machine whose clock is off: ids that carry a time are off with it, as its processes see it."""

import time
from pathlib import Path

import pytest
import uuid_utils

from tests.faults.sim.loop import Process
from tests.faults.sim.world import EPOCH, Now, Uuids, World
from tests.support.launch import _clock

HOUR = 3600.0


def seconds(uuid7: object) -> float:
    return int(str(uuid7).replace("-", "")[:12], 16) / 1000


def test_ids_of_a_service_follow_the_clock_of_its_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", time.time)
    monkeypatch.setattr(uuid_utils, "uuid7", uuid_utils.uuid7)
    true, file = time.time(), tmp_path / "clock"
    _clock(file)
    for off in (0.0, -HOUR, HOUR):
        file.write_text(str(off))
        assert abs(seconds(uuid_utils.uuid7()) - true - off) < 60
        assert abs(time.time() - true - off) < 60


def test_ids_of_a_simulated_process_follow_the_clock_of_its_machine() -> None:
    world = Now.world = World(0)
    process = Process("shop-1", world.loop)
    process.skew = -HOUR
    assert process.call(lambda: seconds(Uuids("uuid_utils").uuid7())) == EPOCH - HOUR
    world.loop.close()
