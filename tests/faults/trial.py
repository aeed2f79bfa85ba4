"""One run: a cluster, a load, faults that are made and seen to happen, and the judgement."""

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.checker import invariants
from tests.faults.checker.outside import ROOMS, Outside, metric
from tests.faults.checker.state import Expected, photograph, read_history
from tests.faults.load.client import Client, Command, Who
from tests.faults.load.programme import STAFF, Programme, later
from tests.support.cluster import Cluster
from tests.support.wait import until

WORKERS = 16
HEALED = 180.0
"""Seconds after the last fault within which everything must be at rest."""


@dataclass
class Tally:
    """What a run counts."""

    made: Counter[str] = field(default_factory=Counter)
    observed: Counter[str] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)

    def see(self, fault: str, happened: object) -> None:
        """A fault was made; whether it is seen to have happened."""
        self.made[fault] += 1
        self.observed[fault] += bool(happened)
        if not happened:
            self.wrong.append(f"the fault itself: {fault} was not seen to happen")


class Trial:
    """What a scenario works with."""

    def __init__(self, cluster: Cluster, seed: int, around: Any = None) -> None:
        self.cluster, self.seed, self.around = cluster, seed, around
        self.random, self.tally = random.Random(seed), Tally()
        self.client = Client(cluster.urls, cluster.keys, seed)
        self.programme = Programme(self.client)
        self.outside = Outside(cluster.mongo, cluster.kafka)
        self.expected = Expected()
        self.snapshots = 0
        self.pool = ""
        """The only pool that snapshots look at while the load runs, where there are very many."""

    @property
    def accepted(self) -> int:
        """Commands accepted so far."""
        return self.client.history.accepted

    # -- load -----------------------------------------------------------------------------

    @asynccontextmanager
    async def load(self, workers: int = WORKERS) -> AsyncIterator[None]:
        """Commands without end while the block runs; money and places are looked at meanwhile."""
        going = True

        async def work() -> None:
            while going:
                try:
                    await self.programme.step()
                except Exception as error:
                    self.tally.wrong.append(f"the load: {error!r}"[:300])
                    await asyncio.sleep(1.0)

        seen, unread = self.snapshots, list[str]()
        watch = asyncio.create_task(self._watch(unread))
        tasks = [asyncio.create_task(work()) for _ in range(workers)]
        try:
            yield
        except asyncio.CancelledError:  # told to stop: nobody waits for what is under way
            for task in tasks:
                task.cancel()
            raise
        finally:
            going = False
            watch.cancel()
            await asyncio.wait([watch, *tasks], timeout=60)
            if self.snapshots == seen:
                self.tally.wrong.append(f"I3 nobody looked at money and places: {unread[-1:]}")

    async def more(self, commands: int, within: float = 120.0) -> None:
        """Return when so many more were accepted."""
        wanted = self.accepted + commands
        await until(
            lambda: asyncio.sleep(0.01, self.accepted), lambda n: n >= wanted, within=within
        )

    async def _watch(self, unread: list[str]) -> None:
        """One snapshot of each service after the other; why some could not be read."""
        while True:
            try:
                self.tally.wrong += await asyncio.to_thread(self._look)
                self.snapshots += 1
            except Exception as error:  # while a server is away
                unread.append(repr(error)[:300])
            await asyncio.sleep(0.5)

    def _look(self) -> list[str]:
        """What does not hold now of money and places."""
        wrong: list[str] = []
        if "grants" in self.cluster.shape.services:
            wrong += invariants.of_buckets(*self.outside.pools_and_awards(self.pool))
        for room in ROOMS:
            if room.service in self.cluster.shape.services:
                wrong += invariants.of_room(room, *self.outside.taken(room))
        return wrong

    async def look_at(self, name: str) -> None:
        """Take down how far this service came, to be judged at the end; at most thirty times."""
        service = name.partition("-")[0]
        if len(self.expected.photos) < 30:
            self.expected.photos.append(await photograph(self.outside, service))

    # -- recovery -------------------------------------------------------------------------

    async def answers(self, name: str, since: float, within: float = 60.0) -> float:
        """Seconds since then until this instance took a command again."""
        url = next(iter(self.cluster.urls_of(name)))
        service = name.partition("-")[0]
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            op, _ = await self.client.command(_probe(service, url), patience=2.0)
            if op.outcome == "ok":
                return self._recovered(since)
        self.tally.wrong.append(f"I13 {name} took no command within {within:.0f} s")
        return within

    async def takes_effect(self, since: float, within: float = 90.0) -> float:
        """Seconds since then until a new command had its effect in another service."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            probe = _probe("enrollment", None)
            op, _ = await self.client.command(probe, patience=within)
            entry = f"{probe.who.subject}/enrollment/{1:012d}"
            while op.outcome == "ok" and time.monotonic() < deadline:
                if await asyncio.to_thread(self._has, "timeline", entry):
                    return self._recovered(since)
                await asyncio.sleep(0.05)
        self.tally.wrong.append(f"I13 nothing took effect within {within:.0f} s")
        return within

    def _recovered(self, since: float) -> float:
        taken = time.monotonic() - since
        self.tally.recoveries.append(taken)
        return taken

    def _has(self, collection: str, doc_id: str) -> bool:
        try:
            return self.outside.has("gateway", collection, doc_id)
        except Exception:
            return False

    # -- the end --------------------------------------------------------------------------

    async def settle(self, share: float = 0.02, within: float = HEALED) -> None:
        """All is healed: resolve what is unknown, and wait until nothing is on its way."""
        await asyncio.to_thread(self.cluster.wait_ready)
        self.tally.notes["unknown_resolved"] = await self.client.resolve(share)

        async def rest() -> dict[str, int]:
            behind = await asyncio.to_thread(self.outside.behind)
            waiting = await asyncio.to_thread(self.outside.waiting)
            return behind | {n: c for n, c in waiting.items() if n.endswith("outbox")}

        try:
            await until(rest, lambda left: not left, within=within)
            await until(self._offsets_stand, bool, within=20)
        except AssertionError as error:
            self.tally.wrong.append(f"I13 not at rest: {error}")

    async def _offsets_stand(self) -> bool:
        """Whether the last offsets were noted: that happens once a second."""
        before = await asyncio.to_thread(self._stored)
        await asyncio.sleep(1.2)
        return before == await asyncio.to_thread(self._stored)

    def _stored(self) -> list[Any]:
        return [self.outside.all(name, "offsets") for name in sorted(self.outside.there())]

    async def judge(self, folder: Path) -> None:
        """Write the history down and let the checker compare."""
        path = self.client.history.write(folder / "history.jsonl")
        history = await asyncio.to_thread(read_history, path)
        self.tally.wrong += await invariants.violations(self.outside, history, self.expected)
        self.tally.wrong += await asyncio.to_thread(self._of_metrics)

    def _of_metrics(self) -> list[str]:
        """What the processes say of themselves is what the databases hold."""
        wrong = []
        for name in self.cluster.instances():
            service = name.partition("-")[0]
            (url,) = self.cluster.urls_of(name)
            says, has = metric([url], "telar_parked_keys"), self.outside.count(service, "parked")
            if says != has:
                wrong.append(f"I8 {name} says that {says:.0f} keys are parked, {has} are")
            if pending := metric([url], "telar_outbox_pending"):
                wrong.append(f"I8 {name} says that {pending:.0f} commits are not sent")
        return wrong

    async def close(self) -> None:
        await self.client.close()
        self.outside.close()


def _probe(service: str, url: str | None) -> Command:
    """A small command to one service, which nothing can refuse."""
    person = Who(f"probe-{random.getrandbits(80):020x}", ("applicant",))
    facets = {"state": "09", "municipality": "09002", "rural_class": "urban"}
    course = {
        "competence": "digital-commerce",
        "hours": 8,
        "versions": [{"language": "es-MX", "title": "Vender"}],
        "rule": {"version": "attendance-2026-1", "min_attendance": 80},
    }
    fair = {"kind": "fair", "country": "CO", "starts_on": later(340), "places": 1}
    match service:
        case "training":
            return Command(service, "probe", STAFF, "/courses", course, url=url)
        case "grants":
            return Command(service, "probe", STAFF, "/pools", {"amount": 0}, url=url)
        case "trade":
            return Command(
                service, "probe", STAFF, "/fairs", {**fair, "offer_seconds": 60}, url=url
            )
        case "gateway":
            return Command("enrollment", "probe", person, "/v1/persons", facets, url=url)
    return Command("enrollment", "probe", person, "/persons", facets, url=url)


def recovery(seconds: Sequence[float]) -> dict[str, float | None]:
    """How long it took, as a row of results tells it; of none there is only the number."""
    shares = {"p50": 0.5, "p95": 0.95, "max": 1.0}
    return {
        **{name: _percentile(seconds, share) for name, share in shares.items()},
        "n": len(seconds),
    }


def _percentile(values: Sequence[float], share: float) -> float | None:
    """The value that so many are not above."""
    if not values:
        return None
    return round(sorted(values)[max(0, math.ceil(len(values) * share) - 1)], 2)


Body = Callable[..., Awaitable[None]]
