"""Views made anew beside the live ones, from the start of every topic, with traffic going on.

    building    reads the topics until its positions are those of the live generation
    comparing   says in what it differs (mode compare)
    ending      the half-built generation is being dropped
    swapped, compared, failed

The state is one document in the live database, so a build outlives the process that works on it:
whoever finds it without a sign of life for a while goes on where it was.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from time import monotonic
from typing import Any, Protocol
from uuid import uuid4

import structlog

from services.gateway.compare import AT_MOST, Comparison, Late, behind
from services.gateway.keeping import Taken, carry, change
from services.gateway.watch import Watch
from shared.chassis import letgo, parking
from shared.chassis.ports import BusError, Document, Store, StoreError
from shared.chassis.runtime import Runtime

BUILDS, BUILD = "builds", "build"
GOING_ON = ("building", "comparing", "ending")
SILENT = timedelta(seconds=10)
"""Without a sign of life for so long, another replica takes over."""

BEAT = 2.0
"""Seconds after which a sign of life is due."""

GLANCE, MOST_REST = 0.5, 3.0
"""Seconds between two looks: more where a look is much work."""

STUCK = 120.0
"""Seconds after which a build is given up that applies nothing, or of which a key stands still."""

MOST_TRIES = 4
"""Interruptions after which a build goes on; counted anew when less is behind than ever before."""

log = structlog.get_logger("telar.gateway")


class Host(Protocol):
    """What a build asks of the process that it runs in."""

    @property
    def runtime(self) -> Runtime:
        """The live one."""
        ...

    async def number(self) -> int:
        """A number that no generation had before."""
        ...

    def make(self, generation: int) -> Runtime:
        """A runtime on the database and the group of a generation, not started."""
        ...

    async def swap(self, runtime: Runtime, generation: int) -> None:
        """From now on this is the live one. Raises `Taken`."""
        ...

    async def drop(self, generation: int) -> None:
        """Delete all of one that will never be live. Raises `Taken` when it is."""
        ...


class Failed(Exception):
    """The build cannot be finished; what keeps it."""

    def __init__(self, code: str, keeping: Sequence[Late] = ()) -> None:
        super().__init__(code)
        self.code, self.keeping = code, [one.shown() for one in keeping[:AT_MOST]]


class Builder:
    """Works on the build of this gateway, if this process is the one that does."""

    def __init__(self, host: Host) -> None:
        self._host, self._me, self._beaten = host, uuid4().hex, 0.0
        self._task: asyncio.Task[None] | None = None

    async def look(self) -> None:
        """Take up a build that nobody works on."""
        if (self._task and not self._task.done()) or not self._host.runtime.started:
            return
        found = await self._host.runtime.store.get(BUILDS, BUILD)
        if found is None or found["state"] not in GOING_ON or not self._is_silent(found):
            return
        number = found["generation"] or await self._host.number()
        try:
            mine = await self._note({"generation": number}, claim=found)
        except Taken:
            return
        self._task = asyncio.create_task(self._run(mine), name="build")

    async def stop(self) -> None:
        """Leave it to another replica, or to the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _is_silent(self, build: Document) -> bool:
        beat = build["beat"]
        return beat is None or bool(self._host.runtime.clock.now() - beat > SILENT)

    async def _note(self, changes: Document, claim: Document | None = None) -> Document:
        """A sign of life, with what changed. Raises `Taken` when the build is not ours any more."""
        beat, self._beaten = self._host.runtime.clock.now(), monotonic()

        def turn(found: Document | None) -> Document:
            if found is None or found["state"] not in GOING_ON:
                raise Taken
            if claim is None and found["owner"] != self._me:
                raise Taken
            if claim is not None and found["version"] != claim["version"]:
                raise Taken
            both = found.get("lowest"), changes.get("behind")
            lowest = min((one for one in both if one is not None), default=None)
            tries = 0 if lowest != both[0] else found["tries"] + (claim is not None)
            mine = {"owner": self._me, "beat": beat, "tries": tries, "lowest": lowest}
            return {**found, **changes, **mine}

        return await change(self._host.runtime.store, BUILDS, BUILD, turn)

    async def _run(self, build: Document) -> None:
        number = build["generation"]
        runtime, live = self._host.make(number), self._host.runtime
        log.info("build.begins", generation=number, mode=build["mode"], tries=build["tries"])
        try:
            if await self._work(runtime, live, build):
                return  # it is the live one now
        except (StoreError, BusError, Taken, TimeoutError) as error:
            log.warning("build.interrupted", generation=number, error=type(error).__name__)
        except Exception:
            log.exception("build.broke", generation=number)
        finally:
            if self._host.runtime is not runtime and not runtime.stopping:
                await runtime.stop()

    async def _work(self, runtime: Runtime, live: Runtime, build: Document) -> bool:
        """Whether the generation was swapped in; else what came of it is noted, and it is gone."""
        if build["state"] != "ending":
            try:
                outcome = await self._build(runtime, live, build)
            except Failed as failed:
                outcome = {"result": "failed", "code": failed.code, "differences": failed.keeping}
            if outcome is None:
                await self._host.swap(runtime, build["generation"])
                return True
            build = await self._note({"state": "ending", **outcome})
            await runtime.stop()
        await self._host.drop(build["generation"])
        await self._note({"state": build["result"]})
        log.info("build.ends", generation=build["generation"], result=build["result"])
        return False

    async def _build(self, runtime: Runtime, live: Runtime, build: Document) -> Document | None:
        if build["tries"] > MOST_TRIES:
            raise Failed("rebuild-broke")
        await runtime.store.ensure(["secrets", letgo.COLLECTION], [])
        for collection in ("secrets", letgo.COLLECTION):
            await carry(live.store, runtime.store, collection)
        await runtime.start()
        await self._catch_up(runtime, live)
        if build["mode"] == "swap":
            return None
        await self._note({"state": "comparing"})
        comparison = Comparison(live.store, runtime.store, self._alive)
        await comparison.run()
        return {"result": "compared", **comparison.outcome()}

    async def _alive(self) -> None:
        if monotonic() > self._beaten + BEAT:
            await self._note({})

    async def _catch_up(self, runtime: Runtime, live: Runtime) -> None:
        """Return when every key is what it is in the live generation."""
        most, moved_at, watch = -1, monotonic(), Watch(live.store, runtime, self._alive, STUCK)
        while True:
            begun = monotonic()
            late, events = await self._look_back(runtime, live)
            if not late:
                return
            if events > most:
                most, moved_at = events, begun
            if runtime.intake.is_open:
                raise Failed("breaker-open", await self._behind(runtime, live))
            try:
                if stuck := await watch.stuck():
                    raise await _kept(runtime.store, stuck)
            except BusError:
                moved_at = monotonic()  # while Kafka is away everything stands still
            if monotonic() - moved_at > STUCK:
                raise await _kept(runtime.store, await self._behind(runtime, live))
            await asyncio.sleep(min(MOST_REST, max(GLANCE, 2 * (monotonic() - begun))))

    async def _behind(self, runtime: Runtime, live: Runtime) -> list[Late]:
        return await behind(live.store, runtime.store, self._alive)

    async def _look_back(self, runtime: Runtime, live: Runtime) -> tuple[bool, int]:
        """Whether it is behind, and how many events it has applied.

        The sums are looked at first: they cost one question. Only when they agree is every key,
        and then the sums once more, for what came meanwhile.
        """
        missing, events = await _missing(live.store, runtime.store)
        await self._note({"events": events, "behind": missing})
        if missing or not runtime.started:
            return True, events
        if await self._behind(runtime, live):
            return True, events
        for _ in range(50):
            missing, events = await _missing(live.store, runtime.store)
            if not missing:
                return False, events
            await asyncio.sleep(0.02)
        return True, events


async def _kept(new: Store, keeping: Sequence[Late]) -> Failed:
    """By a fork that somebody must end, or by what does not come or cannot be applied."""
    ids = {one: parking.parked_ref(one.topic, one.key).id for one in keeping}
    held = await new.some(parking.COLLECTION, [*ids.values()])
    forked = [one for one in keeping if _is_fork(held.get(ids[one]))]
    return Failed("rebuild-forked", forked) if forked else Failed("rebuild-behind", keeping)


def _is_fork(parked: Document | None) -> bool:
    return parked is not None and parked["reason"] == "fork"


async def _missing(live: Store, new: Store) -> tuple[int, int]:
    (_, wanted), (_, applied) = await live.totals(), await new.totals()
    missing = sum(max(0, count - applied.get(topic, 0)) for topic, count in wanted.items())
    return missing, sum(applied.values())


def ordered(mode: str, reason: str, actor: str, at: Any) -> Document:
    """The document of a build that somebody asked for."""
    return {
        "mode": mode,
        "state": "building",
        "reason": reason,
        "actor": actor,
        "started_at": at,
        "generation": None,
        "owner": None,
        "beat": None,
        "tries": 0,
        "events": 0,
        "behind": 0,
        "lowest": None,
        "result": None,
        "code": None,
        "compared": 0,
        "unsettled": [],
        "differences": [],
    }
