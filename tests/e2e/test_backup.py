"""A backup of the whole platform under load, and the platform that is restored from it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.local.folders import Folders
from deploy.local.plan import Plan
from deploy.local.platform import Platform
from tests.e2e.api import Api
from tests.e2e.commands import telar
from tests.e2e.outside import PUBLISHERS, Outside, violations
from tests.e2e.scenes import Programme
from tests.support.wait import until


@asynccontextmanager
async def up(folder: Path) -> AsyncIterator[tuple[Outside, Api]]:
    """The platform on this folder, for a while."""
    platform = Platform(folder, Plan(first_port=None))
    await asyncio.to_thread(platform.start)
    outside = Outside(platform.mongo, platform.kafka)
    try:
        async with Api(platform.gateway, platform.folders.keys) as api:
            yield outside, api
    finally:
        outside.close()
        await asyncio.to_thread(platform.stop)


def known(outside: Outside) -> dict[str, set[str]]:
    """By collection, the ids of what the services were told and have told."""
    return {
        f"{service}.{name}": {str(one["_id"]) for one in outside.collection(service, name)}
        for service in PUBLISHERS
        for name in ("streams", "outbox")
    }


def owed(outside: Outside) -> set[str]:
    """The commits that only say what follows from published facts.

    What a subscriber had not applied at the instant of the backup it applies after the restore, and
    says for the first time, as a commit of its own.
    """
    rows = [row for service in PUBLISHERS for row in outside.collection(service, "outbox")]
    facts = {event["id"] for row in rows for event in row["events"]}
    return {str(row["_id"]) for row in rows if facts >= {one["cause"] for one in row["events"]}}


@pytest.mark.timeout(400)
async def test_what_was_accepted_before_a_backup_under_load_is_there_after_a_restore(
    tmp_path: Path,
) -> None:
    root, file = tmp_path / "data", tmp_path / "b.telar"
    async with up(root) as (outside, api):
        programme = await Programme(api).publish()
        await programme.women(2)
        before = await asyncio.to_thread(known, outside)
        backup = asyncio.create_task(telar(root, "backup", str(file)))
        while not backup.done():
            await programme.woman()
        assert (await backup)[0] == 0, backup.result()
        await programme.women(2)
        after = await asyncio.to_thread(known, outside)
    code, told = await telar(root, "restore", str(file))
    assert code == 0, told
    async with up(root) as (outside, api):
        await until(lambda: violations(outside), _none, within=90)
        now = await asyncio.to_thread(known, outside)
        follows = await asyncio.to_thread(owed, outside)
        for name, ids in before.items():
            assert ids <= now[name] <= after[name] | ids | follows, name
        assert sum(map(len, now.values())) < sum(map(len, after.values()))
        code, told = await telar(root, "verify")
        assert (code, told) == (0, "All holds\n")
        await Programme(api).publish()
    assert len(Folders(root).asides()) == 1


def _none(found: list[str]) -> bool:
    return not found
