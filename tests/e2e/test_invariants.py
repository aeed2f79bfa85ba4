"""The demo on a whole platform of its own, its invariants read with plain pymongo and aiokafka."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.plan import Plan
from deploy.local.platform import Platform
from tests.e2e.outside import Outside


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("telar"), Plan(first_port=None, throw_away=True))
    platform.start()
    yield platform
    platform.stop()


def run_demo(folder: Path, women: int) -> dict[str, Any]:
    options = ("--women", str(women), "--json", "--data-dir", str(folder))
    command = (sys.executable, "-P", "-m", "cli", "demo", *options)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


async def test_after_two_demos_every_invariant_holds_as_seen_from_outside(
    platform: Platform,
) -> None:
    outside = Outside(platform.mongo, platform.kafka)
    first = run_demo(platform.folders.root, 40)
    before = {one["_id"]: one for one in outside.collection("enrollment", "enrolments")}

    second = run_demo(platform.folders.root, 40)

    after = {one["_id"]: one for one in outside.collection("enrollment", "enrolments")}
    assert first["counts"]["enrolment"] == second["counts"]["enrolment"]
    assert len(after) == 2 * len(before) == 80
    assert {name: after[name] for name in before} == before
    await assert_all_hold(outside)
    outside.close()


async def assert_all_hold(outside: Outside) -> None:
    assert outside.waiting() == {}
    for name, topic in (await outside.topics()).items():
        assert topic.published > 0, name
        assert {topic.in_kafka, *topic.applied.values()} == {topic.published}, name
    for pool_id, buckets, given in outside.pools():
        assert min(buckets.values()) >= 0, pool_id
        assert sum(buckets.values()) == given > 0, pool_id
    assert outside.over_capacity() == []
    certificates = outside.certificates()
    assert len(set(certificates)) == len(certificates) > 0
