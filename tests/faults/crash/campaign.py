"""A whole run: harm at every place that any process reached, on several lanes at once."""

import asyncio
import random
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.local.servers import Servers
from tests.faults.crash import paths
from tests.faults.crash.lane import NAMES, Incident, Lane, Mode
from tests.faults.crash.plans import CONNECT, Harm, Plan
from tests.faults.crash.process import Place, When

MODES: dict[str, Sequence[Mode]] = {
    "boot": ("new", "fresh"),
    "start check": ("new", "fresh"),
    "stop": ("stop",),
    "adopt": ("restored",),
    "lost topic": ("cut",),
    "backfill": ("late",),
    "fill": ("late",),
    CONNECT: ("new", "fresh"),
}
"""When a place of this path, or this call, may be reached, the likeliest first."""

RETRIES: dict[Harm, int] = {"death": 1, "error": 3}
"""How often a place that was not reached gets another chance: some are met by chance alone.

What was not reached then is not waited for a second and a third time. Of errors none may be left
out; of deaths, which are three times as many at twice the places, some may.
"""

EARLY = 6
"""Of a path that was told in advance one of its first so many calls is harmed."""

LIFE = 30
"""Incidents of one lane, then comes another: what it holds grows, and with it what looking at all
of it costs.
"""

ANY: Sequence[Mode] = ("run", "new", "stop", "cut", "fresh")


class Campaign:
    """Plans incidents, runs them, and adds them up."""

    def __init__(
        self, servers: Servers, folder: Path, harm: Harm, *, seed: int, times: int
    ) -> None:
        self._servers, self._folder, self._harm = servers, folder, harm
        self.seed, self.times = seed, times
        self._random = random.Random(seed)
        self.services: dict[Place, set[str]] = defaultdict(set)
        self.incidents: list[Incident] = []
        self._todo: deque[tuple[Place, int]] = deque()
        self._modes: dict[Place, Mode] = {}
        self._when: dict[Place, set[When]] = defaultdict(set)
        self._taken = Counter[str]()
        self._missed = Counter[Place]()
        self._lanes = 0
        self._wanted = paths.REQUIRED if harm == "death" else frozenset[str]()
        self._todo.extend(((path, "", ""), 0) for path in sorted(self._wanted))

    async def run(self, lanes: int, most: int | None = None) -> None:
        """Run until every place has had its share, or so many things went wrong.

        A little longer if on a path that must be reached nothing did.
        """

        def is_enough() -> bool:
            if most is None or self.count < most:
                return False
            return self._ways() >= self._wanted or self.count >= 2 * most

        async def work() -> None:
            await self._lane(is_enough)  # the first may be who finds what there is to do
            while self._todo and not is_enough():
                await self._lane(is_enough)

        await asyncio.gather(*[work() for _ in range(lanes)])

    async def _lane(self, is_enough: Callable[[], bool]) -> None:
        lane = self._new("lane")
        try:
            await lane.start()
            while self._todo and len(lane.incidents) < LIFE and not is_enough():
                place, number = self._next()
                await self._harm_it(lane, place, number)
            await lane.recheck()
        finally:
            await lane.close()

    def _new(self, kind: str) -> Lane:
        self._lanes += 1
        name = f"{kind}{self._lanes}"
        return Lane(name, self._servers, self._folder, self._seen, self._harm)

    @property
    def count(self) -> int:
        """Incidents that happened so far."""
        return sum(incident.happened for incident in self.incidents)

    def _seen(self, service: str, place: Place, when: When) -> None:
        if place not in self.services:
            self._todo.extend((place, number) for number in range(1, self.times + 1))
        self.services[place].add(service)
        self._when[place].add(when)

    def _next(self) -> tuple[Place, int]:
        """Every path, then the first of all places before the second of any, in turns by path.

        What no process has reached yet comes last: meanwhile it may be found where that happens.
        """

        def turn(one: tuple[Place, int]) -> tuple[int, bool, int]:
            path = one[0][0]
            return one[1], not self._on(path), self._taken[path]

        self._random.shuffle(self._todo)
        chosen = min(self._todo, key=turn)
        self._taken[chosen[0][0]] += chosen[1] > 0
        self._todo.remove(chosen)
        return chosen

    async def _harm_it(self, lane: Lane, place: Place, number: int) -> None:
        if number > 1 and self._missed[place] > RETRIES[self._harm] and not self.hits()[place]:
            return
        known, wide = self._modes.get(place), self._missed[place] > 0
        for mode in (known,) if known and not wide else self._likely(place, wide=wide):
            nth = (number or self._random.randint(1, EARLY)) if mode == "run" else 1
            services = ["reader"] if mode == "late" else self._at(place)
            service = self._random.choice(services)
            incident = Incident(service, Plan(*place, nth), mode, wide)
            await self._run(lane, incident)
            if incident.happened:
                self._modes[place] = mode
                return
        self._missed[place] += 1
        again = self._missed[place] <= RETRIES[self._harm]
        if again and (place[1] or place[0] not in self._ways()):
            self._todo.append((place, number))

    def _likely(self, place: Place, *, wide: bool) -> Sequence[Mode]:
        """When a place may be reached: first or, unless `wide`, only when it was reached before.

        To wait in vain takes longer than anything else.
        """
        path, call, _ = place
        modes = MODES.get(call) or MODES.get(path, ANY)
        when = self._when[place] or self._on_path(place[0])
        known = {"fresh", *when} if "new" in when else when
        likely: list[Mode] = [one for one in modes if one in known]
        others: list[Mode] = [one for one in modes if one not in known]
        return [*likely, *others] if wide or not likely else likely

    def _on(self, path: str) -> set[str]:
        """The services that were seen on a path."""
        return {
            name for place in self.services if place[0] == path for name in self.services[place]
        }

    def _on_path(self, path: str) -> set[When]:
        """When any place of a path was reached."""
        return {when for place, known in self._when.items() if place[0] == path for when in known}

    def _at(self, place: Place) -> list[str]:
        """Where a place may be reached."""
        return sorted(self.services.get(place) or self._on(place[0]) or NAMES)

    def _ways(self) -> set[str]:
        """The paths on which something happened."""
        return {path for path, _, _ in self.hits()}

    async def _run(self, lane: Lane, incident: Incident) -> None:
        self.incidents.append(incident)
        if incident.mode != "fresh":
            await lane.run(incident)
            return
        fresh = self._new("fresh")
        try:
            await fresh.run(incident)
            await fresh.recheck()
        finally:
            await fresh.close()

    def progress(self) -> str:
        """How far it is: new places may still be found."""
        wrong = len(self.violations())
        vain = len(self.incidents) - self.count
        to_come = f"{len(self._todo)} to come"
        return f"{self.count} happened, {vain} in vain, {to_come}, {wrong} violations"

    def violations(self) -> list[str]:
        """What was wrong, with what happened before it, or was to."""
        return [
            f"{incident.service} {incident}: {violation}"
            for incident in self.incidents
            for violation in incident.violations
        ]

    def hits(self) -> Counter[Place]:
        """Incidents by place."""
        return Counter(one.plan.place for one in self.incidents if one.happened)
