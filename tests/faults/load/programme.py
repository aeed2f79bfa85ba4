"""A light slice of every service: women who enrol, learn, are granted money, and go to a fair.

They come in groups of thirty, each with its own small cohort, pool, round and fair, so that some
of every group must stand in line. Every step is one command through the public API.
"""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults.load.client import Client, Command, Who

STAFF = Who("staff-1", ("intake", "trainer", "approver", "treasurer", "trade"))
REVIEWER = Who("staff-2", ("reviewer",))
SIZE, SEATS, MONEY, PLACES = 30, 20, 15, 15
AMOUNT = 1_000_000
LONG = 30 * 24 * 3600
"""No offer runs out during a run, unless a scenario wants it."""
EARLY = {"not-enrolled", "application-needs-enrolment"}
"""What a service says that has not heard of her enrolment yet."""


@dataclass
class Group:
    """What thirty women share."""

    cohort: str
    pool: str
    round: str
    fair: str


ALONE = Group("", "", "", "")
"""For women who only enrol."""


@dataclass
class Woman:
    """One woman, and how far she came."""

    group: Group
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    at: int = 0
    ripe: float = 0.0
    pause: float = 0.2

    @property
    def who(self) -> Who:
        return Who(self.id, ("applicant",))


@dataclass
class Terms:
    """The one call and course of a run."""

    call: str = ""
    course: str = ""
    offer_seconds: int = LONG


Step = Callable[[Woman, Terms], Command]


def _register(woman: Woman, _: Terms) -> Command:
    facets = {
        "state": "09",
        "municipality": "09002",
        "rural_class": "urban",
        "self_declared_woman": True,
    }
    return Command("enrollment", "register", woman.who, "/persons", facets)


def _begin(woman: Woman, terms: Terms) -> Command:
    draft = {"call_id": terms.call}
    return Command("enrollment", "begin", woman.who, "/enrolments", draft, publishes=False)


def _submit(woman: Woman, terms: Terms) -> Command:
    path = f"/enrolments/{woman.id}:{terms.call}/submission"
    return Command("enrollment", "submit", woman.who, path)


def _admit(woman: Woman, terms: Terms) -> Command:
    path = f"/enrolments/{woman.id}:{terms.call}/admission"
    return Command("enrollment", "admit", STAFF, path, {"reason_codes": ["evidence-seen"]})


def _seat(woman: Woman, _: Terms) -> Command:
    return Command("training", "seat", woman.who, "/seats", {"cohort_id": woman.group.cohort})


def _attend(woman: Woman, _: Terms) -> Command:
    """Whoever stands in line for a seat is refused this, and the next step too."""
    path = f"/seats/{woman.id}:{woman.group.cohort}/attendance"
    return Command("training", "attend", STAFF, path, {"session": 1, "state": "present"})


def _complete(woman: Woman, _: Terms) -> Command:
    path = f"/seats/{woman.id}:{woman.group.cohort}/completion"
    return Command("training", "complete", STAFF, path)


def _apply(woman: Woman, _: Terms) -> Command:
    asked = {"round_id": woman.group.round, "amount": AMOUNT}
    return Command("grants", "apply", woman.who, "/applications", asked)


def _propose(woman: Woman, _: Terms) -> Command:
    path = f"/applications/{woman.id}:{woman.group.round}/proposal"
    return Command("grants", "propose", REVIEWER, path, {"amount": AMOUNT})


def _approve(woman: Woman, _: Terms) -> Command:
    return Command("grants", "approve", STAFF, f"/awards/{_award(woman)}/approval")


def _accept(woman: Woman, _: Terms) -> Command:
    return Command("grants", "accept", woman.who, f"/awards/{_award(woman)}/acceptance")


def _refill(woman: Woman, _: Terms) -> Command:
    """A centavo or more into the pool: what is done twice shows in its sum."""
    amount = 1 + int(woman.id[:2], 16)
    facts = {"pool": woman.group.pool, "amount": amount}
    path = f"/pools/{woman.group.pool}/increase"
    return Command("grants", "increase", STAFF, path, {"amount": amount}, facts=facts)


def _place(woman: Woman, _: Terms) -> Command:
    return Command("trade", "place", woman.who, "/places", {"fair_id": woman.group.fair})


def _confirm(woman: Woman, _: Terms) -> Command:
    path = f"/places/{woman.id}:{woman.group.fair}/confirmation"
    return Command("trade", "confirm", woman.who, path)


def _award(woman: Woman) -> str:
    return f"{woman.id}:{woman.group.round}"


STEPS: tuple[Step, ...] = (
    *(_register, _begin, _submit, _admit),
    *(_seat, _attend, _complete),
    *(_apply, _propose, _approve, _accept, _refill),
    *(_place, _confirm),
)


class Programme:
    """Makes commands without end; each worker does one after another."""

    def __init__(self, client: Client, steps: tuple[Step, ...] = STEPS) -> None:
        self.client, self.steps, self.terms = client, steps, Terms()
        self._waiting: list[Woman] = []
        self._group: Group | None = None
        self._joined = 0
        self._turn = asyncio.Lock()
        self.grouped = True
        """Whether women need a cohort, a pool, a round and a fair."""
        self.refusals: dict[str, int] = {}

    async def open(self) -> None:
        """The call and the course."""
        await self.call()
        course = {
            "competence": "digital-commerce",
            "hours": 8,
            "versions": [{"language": "es-MX", "title": "Vender"}],
            "rule": {"version": "attendance-2026-1", "min_attendance": 80},
        }
        self.terms.course = await self._made("training", "/courses", course)

    async def call(self) -> None:
        """The call alone, where there is no training."""
        terms = {"title": "Convocatoria", "rules_version": "2026-1", **_window()}
        self.terms.call = await self._made("enrollment", "/calls", terms)

    async def step(self) -> bool:
        """One command of one woman; whether it was accepted."""
        woman = self._ripe() or await self._another()
        op, reply = await self.client.command(self.steps[woman.at](woman, self.terms))
        if op.outcome == "unknown":
            return False  # she is left where she is, for the final read
        code = str((reply or {}).get("code", ""))
        if op.outcome == "refused":
            self.refusals[code] = self.refusals.get(code, 0) + 1
        if code in EARLY:
            woman.pause = min(woman.pause * 2, 3.0)
            woman.ripe = time.monotonic() + woman.pause
        else:
            woman.at += 1
        if woman.at < len(self.steps):
            self._waiting.append(woman)
        return op.outcome == "ok"

    def _ripe(self) -> Woman | None:
        """Somebody who need not wait, mixed: one in eight looks at random."""
        now, mixed = time.monotonic(), self.client.random
        if not self._waiting:
            return None
        for _ in range(8):
            at = mixed.randrange(len(self._waiting))
            if self._waiting[at].ripe <= now:
                self._waiting[at], self._waiting[-1] = self._waiting[-1], self._waiting[at]
                return self._waiting.pop()
        return None

    async def _another(self) -> Woman:
        async with self._turn:
            if not self.grouped:
                return Woman(ALONE)
            if self._group is None or self._joined >= SIZE:
                self._group, self._joined = await self.group(), 0
            self._joined += 1
            return Woman(self._group)

    async def group(self) -> Group:
        """What the next thirty women share."""
        cohort = {
            "course_id": self.terms.course,
            "capacity": SEATS,
            "starts_on": later(300),
            "sessions": 1,
            "offer_seconds": self.terms.offer_seconds,
            "language": "es-MX",
            "state": "09",
        }
        fair = {
            "kind": "fair",
            "country": "CO",
            "starts_on": later(340),
            "places": PLACES,
            "requirements": ["enrolled"],
            "offer_seconds": self.terms.offer_seconds,
        }
        pool = await self.pool(MONEY * AMOUNT)
        return Group(
            cohort=await self._made("training", "/cohorts", cohort),
            pool=pool,
            round=await self.round(pool),
            fair=await self._made("trade", "/fairs", fair),
        )

    async def pool(self, money: int) -> str:
        """A pool with so much in it."""
        return await self._made("grants", "/pools", {"amount": money}, {"amount": money})

    async def round(self, pool: str) -> str:
        """A round that pays out of this pool, in one part."""
        plan = {
            "pool_id": pool,
            "min_amount": AMOUNT,
            "max_amount": AMOUNT,
            "offer_seconds": self.terms.offer_seconds,
            "tranches": [{"share": 10000}],
            **_window(),
        }
        return await self._made("grants", "/rounds", plan)

    async def _made(
        self, service: str, path: str, body: Any, facts: dict[str, Any] | None = None
    ) -> str:
        """The id of a thing that the run cannot do without."""
        publishes = path != "/rounds"
        command = Command(service, path[1:], STAFF, path, body, publishes, facts or {})
        op, reply = await self.client.command(command, patience=240.0)
        if op.outcome != "ok":
            raise AssertionError(f"{path}: {op.outcome} {reply}")
        made = str(reply["id"])
        if facts:
            op.facts["pool"] = made
        return made


def later(days: int) -> str:
    """The day in so many days."""
    return (datetime.fromtimestamp(time.time(), UTC) + timedelta(days=days)).date().isoformat()


def _window() -> dict[str, str]:
    now = datetime.fromtimestamp(time.time(), UTC)
    opens, closes = now - timedelta(hours=1), now + timedelta(days=20)
    return {"opens_at": opens.isoformat(), "closes_at": closes.isoformat()}
