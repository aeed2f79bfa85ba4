"""What a machine does to its processes: clocks that jump, disks that are full, standstills."""

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.faults.runner import scenario
from tests.faults.trial import Trial
from tests.support.cluster import SERVICES, Cluster, Shape
from tests.support.wait import until

SESSION = 6.0
HOUR = 3600.0
JUMPS = (-2 * HOUR, -60.0, 60.0, HOUR, 48 * HOUR, -365 * 24 * HOUR)
FULL, LONGEST = 8.0, 40.0
"""Seconds for which a disk is full, and for which it is at most, until its server has met it."""

DISK = 300
"""Megabytes of a small disk: what the servers need to start, and not much more."""


@asynccontextmanager
async def _clocks(cluster: Cluster) -> AsyncIterator[dict[str, Path]]:
    """A file for each service with the seconds by which its machine's clock is off."""
    files = {name: cluster.folders.root / f"{name}.clock" for name in SERVICES}
    for name, file in files.items():
        file.write_text("0")
        cluster.variables[name] = {"TESTS_CLOCK": str(file)}
    yield files


@scenario(
    "the clock of a service's machine jumps, by seconds and by years, both ways",
    quick={"jumps": 2},
    full={"jumps": 40},
    bounds=(300.0, 3600.0),
    daily=False,
    shape=Shape(launcher="tests.support.launch"),
    around=_clocks,
)
async def clock_jumps(trial: Trial, jumps: int) -> None:
    """No offer runs out early, nothing is done twice; the service says what is wrong."""
    trial.programme.terms.offer_seconds = int(HOUR)
    await trial.programme.open()
    async with trial.load(workers=8):
        for _ in range(jumps):
            await trial.more(60)
            name, by = trial.random.choice(SERVICES), trial.random.choice(JUMPS)
            trial.around[name].write_text(str(by))
            begun = time.monotonic()
            seen = await until(lambda name=name: _notices(trial, name), bool, within=40)
            trial.tally.see(f"{by / HOUR:+g} h", seen)
            trial.around[name].write_text("0")
            await until(lambda name=name: _ready(trial, name), bool, within=40)
            await trial.answers(name, begun)
    early = [
        fact.name
        for service in ("training", "grants", "trade")
        for fact in trial.outside.outbox(service)
        if fact.name.endswith("-expired")
    ]
    trial.tally.wrong += [f"I13 {len(early)} offers ran out early"] if early else []
    await trial.settle()


async def _notices(trial: Trial, name: str) -> bool:
    return not await _ready(trial, name)


async def _ready(trial: Trial, name: str) -> bool:
    return await asyncio.to_thread(trial.cluster.is_ready, name)


@scenario(
    "a service process stands still beyond its session while another takes over, then wakes",
    quick={"times": 1},
    full={"times": 30},
    bounds=(300.0, 3600.0),
    shape=Shape(
        replicas={"training": 2, "grants": 2, "trade": 2},
        launcher="tests.support.launch",
        variables={"": {"TESTS_SESSION": str(SESSION)}},
    ),
)
async def zombies(trial: Trial, times: int) -> None:
    """What it had in its hands when it fell asleep must not be written over what happened since."""
    await trial.programme.open()
    async with trial.load(workers=8):
        for _ in range(times):
            await trial.more(60)
            service = trial.random.choice(("training", "grants", "trade"))
            name = trial.random.choice((service, f"{service}-2"))
            begun = time.monotonic()
            await asyncio.to_thread(trial.cluster.freeze, name)
            try:
                taken = await _taken_over(trial, service)
                trial.tally.see("SIGSTOP", trial.cluster.is_frozen(name) and taken)
            finally:
                trial.cluster.thaw(name)
            await trial.answers(name, begun)
    await trial.settle()


async def _taken_over(trial: Trial, service: str) -> bool:
    """Whether its sister applied, while it stood, something of every partition published since."""
    await asyncio.sleep(SESSION + 2)  # the fault itself: longer than the session
    given = await asyncio.to_thread(trial.outside.total, "enrollment", "out")

    def applied() -> int:
        return trial.outside.total(service, "in")["enrollment"]

    wanted = given["enrollment"]
    seen = await until(lambda: asyncio.to_thread(applied), lambda n: n >= wanted, within=60)
    return seen >= wanted


@asynccontextmanager
async def _small_disks(cluster: Cluster) -> AsyncIterator[dict[str, Path]]:
    """The data of each server on a disk of its own, which is soon full."""
    disks = {"mongo": cluster.folders.root / "mongo", "kafka": cluster.folders.root / "kafka"}
    mounted = []
    try:
        for disk in disks.values():
            disk.mkdir(parents=True, exist_ok=True)
            if await asyncio.to_thread(_mount, disk):
                mounted.append(disk)
        yield disks if len(mounted) == len(disks) else {}
    finally:
        for disk in mounted:
            await asyncio.to_thread(subprocess.run, ["umount", "-l", str(disk)], check=False)


def _mount(disk: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "tmpfs", str(disk)]
    return os.geteuid() == 0 and subprocess.run(command, check=False).returncode == 0


@scenario(
    "the disk of a server is full, then has room again",
    quick={"times": 1},
    full={"times": 4},
    bounds=(300.0, 3600.0),
    daily=False,
    around=_small_disks,
)
async def full_disks(trial: Trial, times: int) -> None:
    """Commands are refused or wait while nothing can be written; then all goes on."""
    await trial.programme.open()
    async with trial.load(workers=8):
        for _ in range(times):
            for name in ("kafka", "mongo"):
                await trial.more(60)
                begun = time.monotonic()
                await _fill(trial, name)
                if not trial.cluster.runs(name):  # as whoever supervises it would
                    await asyncio.to_thread(trial.cluster.launch, name)
                await trial.takes_effect(begun)
    await trial.settle()


async def _fill(trial: Trial, name: str) -> None:
    """Not a byte is free until the server met it; where nothing can be mounted no file grows."""
    if not trial.around:
        await _no_growth(trial, name)
        return
    filler, told = trial.around[name] / "filler", trial.cluster.log(name).stat().st_size
    with filler.open("wb", buffering=0) as file:
        begun = time.monotonic()
        while time.monotonic() < begun + FULL or not has_met(trial.cluster, name, told):
            try:
                file.write(bytes(65536))
            except OSError:
                await asyncio.sleep(0.05)
            if time.monotonic() > begun + LONGEST:
                break
    trial.tally.see(f"disk of {name} full", has_met(trial.cluster, name, told))
    filler.unlink()


def has_met(cluster: Cluster, name: str, told: int) -> bool:
    """Whether a server met its full disk: it ended, or said so after it had told so many bytes."""
    said = cluster.log(name).read_bytes()[told:]
    return not cluster.runs(name) or b"No space left on device" in said


async def _no_growth(trial: Trial, name: str) -> None:
    import resource

    pid = trial.cluster.pid(name)
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))
    await asyncio.sleep(8)  # the fault itself; its log is such a file too, and can tell nothing
    trial.tally.see(f"no file of {name} grows", not trial.cluster.runs(name))
    if trial.cluster.runs(name):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
