"""Which generation of the views is live, in every replica.

The gateway owns no facts, so its whole state can be made anew: a generation is a database and a
consumer group of its own. One pointer, in the database of generation 0, names the live one. Every
replica looks at it about once a second and follows; what it leaves is dropped a while later.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import structlog
from fastapi import FastAPI

from services.gateway.keeping import Taken, add, carry, change
from services.gateway.rebuild import BUILD, BUILDS, Builder
from shared.chassis.audit import COLLECTION as AUDIT
from shared.chassis.audit import LAST, ORDERS
from shared.chassis.breaker import COLLECTION as BREAKER
from shared.chassis.letgo import COLLECTION as LET_GO
from shared.chassis.ports import BusError, Document, Store, StoreError
from shared.chassis.replies import COLLECTION as REQUESTS
from shared.chassis.runtime import OWN, Runtime
from shared.chassis.service import Make

COLLECTION, POINTER = "generations", "live"
GLANCE = 1.0
LEAVE = 5.0
"""Seconds for which a runtime that was left finishes what it was asked."""

GRACE = timedelta(seconds=60)
"""After it the generation that was left is dropped."""

STARTING = timedelta(seconds=20)
"""For which the next generation may take to start, before another try."""

_MOMENT = 0.05

log = structlog.get_logger("telar.gateway")


class Generations:
    """Runs the live generation in this process, follows the pointer, and clears away."""

    def __init__(self, app: FastAPI, make: Make) -> None:
        self._app, self._make = app, make
        self._base = make(0).store
        self._live = -1
        self._looking: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self._builder = Builder(self)

    @property
    def runtime(self) -> Runtime:
        """The live one."""
        runtime: Runtime = self._app.state.runtime
        return runtime

    def make(self, generation: int) -> Runtime:
        """A runtime on the database and in the group of a generation, not started."""
        return self._make(generation)

    async def start(self) -> None:
        """Serve at once; the views are there when the pointer was read."""
        self._app.state.has_views = False
        self._looking = asyncio.create_task(self._run(), name="generations")

    async def stop(self) -> None:
        """End what is being built (another replica goes on with it), then what is live."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])
        await asyncio.gather(self._builder.stop(), self.runtime.stop())
        for leaving in self._leaving:
            leaving.cancel()
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=2.0)
        await self._base.close()

    async def _run(self) -> None:
        while True:
            try:
                await self._look()
            except (StoreError, BusError) as error:
                log.warning("generations.wait", error=type(error).__name__)
            except Exception:
                log.exception("generations.failed")
            await asyncio.sleep(GLANCE)

    async def _look(self) -> None:
        pointer = await self._pointer()
        if pointer["generation"] != self._live:
            if self._live >= 0 and self._is_going(pointer):
                await self._stand_back()
            await self._follow(pointer)
        if self.runtime.started:  # else it may not know what time it is
            await self._clear_away(pointer)
        await self._builder.look()

    async def _pointer(self) -> Document:
        if self._live < 0:
            await self._base.ensure([COLLECTION], [])
        return await self._base.get(COLLECTION, POINTER) or _FIRST

    def _is_going(self, pointer: Document) -> bool:
        """Whether what is live here may be dropped before this process has followed."""
        soon = self.runtime.clock.now() + STARTING
        drops = {one["generation"]: one["drop_at"] for one in pointer["left"]}
        return self._live not in drops or drops[self._live] <= soon

    async def _stand_back(self) -> None:
        """Show nothing, and take every fact for the first of its key no more."""
        self._app.state.has_views = False
        if not self.runtime.stopping:
            await self.runtime.stop()

    async def _follow(self, pointer: Document) -> None:
        generation = pointer["generation"]
        if self._live < 0 and generation == 0:
            self._live = 0
            await self.runtime.start()
        else:
            runtime = self.make(generation)
            try:
                await runtime.start()
                if self._live >= 0:
                    await _started(runtime)
                await self._end_orders(pointer, runtime.store)
            except BaseException:
                self._let_go(runtime, 0.0)
                raise
            self._adopt(runtime, generation)
        self._app.state.has_views = True

    def _adopt(self, runtime: Runtime, generation: int) -> None:
        left, self._app.state.runtime = self.runtime, runtime
        self._live = generation
        log.info("generation.live", generation=generation)
        self._let_go(left, LEAVE if left.started else 0.0)

    def _let_go(self, runtime: Runtime, after: float) -> None:
        task = asyncio.create_task(_stop(runtime, after))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def number(self) -> int:
        """A number that no generation had before."""

        def take(pointer: Document | None) -> Document:
            found = pointer or _FIRST
            return {**found, "highest": found["highest"] + 1}

        return int((await change(self._base, COLLECTION, POINTER, take))["highest"])

    async def swap(self, runtime: Runtime, generation: int) -> None:
        """From now on this is the live one. Raises `Taken` when another is already."""
        left = self._live
        until = self.runtime.clock.now() + GRACE

        def point(pointer: Document | None) -> Document:
            found = pointer or _FIRST
            if found["generation"] != left or generation <= found.get("gone", 0):
                raise Taken
            leaving = [*found["left"], {"generation": left, "drop_at": until}]
            return {**found, "generation": generation, "left": leaving}

        await self._end_orders(await change(self._base, COLLECTION, POINTER, point), runtime.store)
        self._adopt(runtime, generation)

    async def _end_orders(self, pointer: Document, live: Store) -> None:
        """What was left takes no more of them, and what it answered is known in the live one.

        Every replica sees to it before it takes orders there: so a repeat is one, wherever it goes.
        """
        for left in reversed(pointer["left"]):  # of builds, the last one is kept
            async with self._store(left["generation"]) as store:
                await _take_over(store, live, left["generation"])

    @asynccontextmanager
    async def _store(self, generation: int) -> AsyncIterator[Store]:
        store = self._make(generation).store
        try:
            yield store
        finally:
            await store.close()

    async def _clear_away(self, pointer: Document) -> None:
        """Drop the generations that were left, once every replica has followed or shows nothing."""
        now = self.runtime.clock.now()
        for left in pointer["left"]:
            if left["drop_at"] <= now:
                await self._drop_left(left["generation"])

    async def _drop_left(self, generation: int) -> None:
        async with self._store(generation) as store:
            await _take_over(store, self.runtime.store, generation)
            await self._forget(store)

        def cleared(found: Document | None) -> Document | None:
            left = found["left"] if found else []
            others = [one for one in left if one["generation"] != generation]
            return {**found, "left": others} if found and others != left else None

        with suppress(Taken):
            await change(self._base, COLLECTION, POINTER, cleared)
        log.info("generation.dropped", generation=generation)

    async def drop(self, generation: int) -> None:
        """Delete all of one that will never be live. Raises `Taken` when it is.

        Who built it may stand still, and wake after another has given it up.
        """

        def end(pointer: Document | None) -> Document:
            found = pointer or _FIRST
            if found["generation"] == generation:
                raise Taken
            return {**found, "gone": max(generation, found.get("gone", 0))}

        await change(self._base, COLLECTION, POINTER, end)
        async with self._store(generation) as store:
            await self._forget(store)

    async def _forget(self, store: Store) -> None:
        names = [aggregate.name for aggregate in self.runtime.aggregates]
        await store.forget([*OWN, BUILDS, *names])


_FIRST: Document = {"generation": 0, "highest": 0, "left": []}


async def _take_over(left: Store, live: Store, generation: int) -> None:
    """End the orders of what was left, and carry over what they came to; once."""
    with suppress(Taken):
        await change(left, ORDERS, LAST, _over)
    known = f"of-{generation}"
    if await live.get(ORDERS, known) is None:
        await _carry_over(left, live)
        await add(live, ORDERS, [{"_id": known}])


async def _carry_over(left: Store, live: Store) -> None:
    """What operators did, let go and let pass, and their answers, stay known; the build is over."""
    for collection in (AUDIT, LET_GO, BREAKER, REQUESTS):
        await carry(left, live, collection)
    built = await left.get(BUILDS, BUILD)
    if built is not None:
        await add(live, BUILDS, [{**built, "state": "swapped", "behind": 0}])


def _over(orders: Document | None) -> Document | None:
    return None if orders and orders["over"] else {"over": True}


async def _started(runtime: Runtime) -> None:
    """Return when it runs. Raises `StoreError` when that takes too long."""
    for _ in range(int(STARTING.total_seconds() / _MOMENT)):
        if runtime.started:
            return
        await asyncio.sleep(_MOMENT)
    raise StoreError("the new generation does not start")


async def _stop(runtime: Runtime, after: float) -> None:
    try:
        await asyncio.sleep(after)
    finally:
        await runtime.stop()
