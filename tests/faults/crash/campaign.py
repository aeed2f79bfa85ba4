"""A whole run: every place that any process reached gets its deaths, on several lanes at once."""

import asyncio
import random
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from pathlib import Path

from deploy.local.servers import Servers
from tests.faults.crash.child import Plan
from tests.faults.crash.lane import Death, Lane, Mode
from tests.faults.crash.process import Place

MODES: dict[str, Sequence[Mode]] = {"boot": ("new", "fresh"), "stop": ("stop",)}
"""When a place of this path may be reached, the likeliest first."""

ANY: Sequence[Mode] = ("run", "new", "stop")


class Campaign:
    """Plans deaths, runs them, and adds them up."""

    def __init__(self, servers: Servers, folder: Path, *, seed: int, times: int) -> None:
        self._servers, self._folder, self.seed, self.times = servers, folder, seed, times
        self._random = random.Random(seed)
        self.services: dict[Place, set[str]] = defaultdict(set)
        self.deaths: list[Death] = []
        self.missed: set[Place] = set()
        self._todo: deque[tuple[Place, int]] = deque()
        self._modes: dict[Place, Mode] = {}
        self._taken = Counter[str]()
        self._fresh = 0

    async def run(self, lanes: int, most: int | None = None) -> None:
        """Run until every place has had its deaths, or so many deaths were made."""
        await asyncio.gather(*[self._lane(f"lane{number}", most) for number in range(lanes)])

    async def _lane(self, name: str, most: int | None) -> None:
        lane = Lane(name, self._servers, self._folder, self._seen)
        try:
            await lane.start()
            while most is None or self.count < most:
                if not self._todo:
                    break
                place, number = self._next()
                await self._kill(lane, place, number)
            await lane.recheck()
        finally:
            await lane.close()

    @property
    def count(self) -> int:
        """Deaths so far."""
        return sum(death.died for death in self.deaths)

    def _seen(self, service: str, place: Place) -> None:
        if place not in self.services:
            self._todo.extend((place, number) for number in range(1, self.times + 1))
        self.services[place].add(service)

    def _next(self) -> tuple[Place, int]:
        """The first deaths of all places before the second of any, in turns on every path."""
        self._random.shuffle(self._todo)
        chosen = min(self._todo, key=lambda one: (one[1], self._taken[one[0][0]]))
        self._taken[chosen[0][0]] += 1
        self._todo.remove(chosen)
        return chosen

    async def _kill(self, lane: Lane, place: Place, number: int) -> None:
        modes = MODES.get(place[0], ANY)
        known = self._modes.get(place)
        for mode in (known,) if known else modes:
            nth = number if mode == "run" else 1
            service = self._random.choice(sorted(self.services[place]))
            for one in sorted({nth, 1}, reverse=True):
                death = Death(service, Plan(*place, one), mode)
                await self._run(lane, death)
                if death.died:
                    self._modes[place] = mode
                    return
        self.missed.add(place)

    async def _run(self, lane: Lane, death: Death) -> None:
        self.deaths.append(death)
        if death.mode != "fresh":
            await lane.run(death)
            return
        self._fresh += 1
        fresh = Lane(f"fresh{self._fresh}", self._servers, self._folder, self._seen)
        try:
            await fresh.first(death)
        finally:
            await fresh.close()

    def hits(self) -> Counter[Place]:
        """Deaths by place."""
        plans = [death.plan for death in self.deaths if death.died]
        return Counter((plan.path, plan.call, plan.side) for plan in plans)
