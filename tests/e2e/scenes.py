"""A small programme to begin a test with: every officer, and women who come as far as is asked."""

import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.e2e.api import Answer, Api, Body
from tests.support.wait import until

AMOUNT = 1_000_000
"""What each woman asks for, in centavos."""

LONG = 3600
_FACETS = {
    "state": "07",
    "municipality": "07101",
    "rural_class": "rural",
    "self_declared_woman": True,
}
_COURSE = {
    "competence": "digital-selling",
    "hours": 20,
    "versions": [{"language": "tzo", "title": "Chonolajel ta internet"}],
    "rule": {"version": "2026-1", "min_attendance": 50},
}
_NOT_YET = {"not-enrolled", "application-needs-enrolment", "requirements-unmet"}


@dataclass
class Programme:
    """One call, one course with one cohort, one pool with one round, one fair; all with one place.

    `offer_seconds` is how long every offer stands.
    """

    api: Api
    offer_seconds: int = LONG
    money: int = AMOUNT
    call_id: str = ""
    course_id: str = ""
    cohort_id: str = ""
    pool_id: str = ""
    round_id: str = ""
    fair_id: str = ""
    business: Body = field(
        default_factory=lambda: {"sector": "311", "size_class": "micro", "women_share": 100}
    )

    async def publish(self) -> "Programme":
        """What the desks do before anybody comes."""
        offer = {"offer_seconds": self.offer_seconds}
        window = _window()
        terms = window | {"title": "Convocatoria 2026", "rules_version": "2026-1"}
        self.call_id = await self._new("intake", "/calls", terms)
        self.course_id = await self._new("trainer", "/courses", _COURSE)
        place = {"language": "tzo", "state": "07", "starts_on": _next_year()}
        cohort = {"course_id": self.course_id, "capacity": 1, "sessions": 1, **place, **offer}
        self.cohort_id = await self._new("trainer", "/cohorts", cohort)
        self.pool_id = await self._new("treasurer", "/pools", {"amount": self.money})
        limits = {"pool_id": self.pool_id, "min_amount": AMOUNT, "max_amount": AMOUNT}
        parts = [{"share": 6_000}, {"share": 4_000, "course_id": self.course_id}]
        plan = limits | window | offer | {"tranches": parts}
        self.round_id = await self._new("approver", "/rounds", plan)
        fair = {"kind": "fair", "country": "CO", "starts_on": _next_year(), "places": 1, **offer}
        self.fair_id = await self._new("trade", "/fairs", fair | {"requirements": ["enrolled"]})
        return self

    async def _new(self, role: str, path: str, body: Body) -> str:
        return str((await self.api(f"{role}-1", role).do(path, body))["id"])

    async def woman(self, *, admitted: bool = True) -> "Woman":
        """Somebody new, enrolled, or waiting for the word of intake."""
        woman = Woman(self, str(uuid.uuid4()))
        await woman.hand_in()
        if admitted:
            path = f"/enrolments/{woman.enrolment_id}/admission"
            await woman.officer("intake").do(path, {})
        return woman

    async def women(self, count: int) -> list["Woman"]:
        """So many, in order."""
        return [await self.woman() for _ in range(count)]


@dataclass
class Woman:
    """One woman, and what she does."""

    programme: Programme
    id: str

    @property
    def enrolment_id(self) -> str:
        """Her enrolment in the call of the programme."""
        return f"{self.id}:{self.programme.call_id}"

    @property
    def seat_id(self) -> str:
        """Her seat, or wait for one."""
        return f"{self.id}:{self.programme.cohort_id}"

    @property
    def award_id(self) -> str:
        """Her application, and the award that bears its id."""
        return f"{self.id}:{self.programme.round_id}"

    @property
    def place_id(self) -> str:
        """Her place at the fair, or wait for one."""
        return f"{self.id}:{self.programme.fair_id}"

    async def hand_in(self) -> None:
        """From unknown to submitted."""
        await self.do("/persons", _FACETS)
        business = await self.do("/businesses", self.programme.business)
        draft = {"call_id": self.programme.call_id, "business_id": business["id"]}
        await self.do("/enrolments", draft)
        await self.do(f"/enrolments/{self.enrolment_id}/submission")

    async def ask_seat(self) -> str:
        """She asks for a seat; where it stands."""
        return await self._comes("/seats", {"cohort_id": self.programme.cohort_id})

    async def complete(self) -> None:
        """She attends, and the trainer says that she completed."""
        trainer, path = self.officer("trainer"), f"/seats/{self.seat_id}"
        await trainer.do(f"{path}/attendance", {"session": 1, "state": "present"})
        await trainer.do(f"{path}/completion")

    async def apply(self) -> str:
        """She asks for money; where her application stands."""
        asked = {"round_id": self.programme.round_id, "amount": AMOUNT}
        return await self._comes("/applications", asked)

    async def win(self) -> str:
        """She applies, one proposes, another approves; where her award stands."""
        await self.apply()
        path = f"/applications/{self.award_id}/proposal"
        await self.officer("reviewer").do(path, {"amount": AMOUNT})
        approved = await self.officer("approver").do(f"/awards/{self.award_id}/approval")
        return str(approved["status"])

    async def accept_award(self) -> None:
        """She takes what she is offered."""
        await self.do(f"/awards/{self.award_id}/acceptance")

    async def ask_place(self) -> str:
        """She asks for a place at the fair; where it stands."""
        return await self._comes("/places", {"fair_id": self.programme.fair_id})

    async def withdraw(self) -> None:
        """She leaves the programme."""
        await self.do(f"/enrolments/{self.enrolment_id}/withdrawal", {"reason_code": "no-time"})

    async def do(self, path: str, body: Body | None = None) -> Any:
        """A command of hers that must be granted."""
        return await self.programme.api(self.id, "applicant").do(path, body)

    async def refused(self, path: str) -> str:
        """A command of hers that must be refused; the code."""
        answer = await self.programme.api(self.id, "applicant").ask(path)
        assert answer.status == 409, answer
        return answer.code

    def officer(self, role: str) -> Any:
        """The officer of this desk."""
        return self.programme.api(f"{role}-1", role)

    async def _comes(self, path: str, body: Body) -> str:
        """Ask again until the service has heard that she is enrolled; the status she is told."""
        her = self.programme.api(self.id, "applicant")

        def heard(answer: Answer) -> bool:
            return answer.status == 201 or answer.code not in _NOT_YET

        answer = await until(lambda: her.ask(path, body), heard)
        assert answer.status == 201, answer
        return str(answer.body["status"])


def _next_year() -> str:
    """A cohort or a fair takes nobody once it has begun."""
    return (datetime.fromtimestamp(time.time(), UTC) + timedelta(days=365)).date().isoformat()


def _window() -> Body:
    now = datetime.fromtimestamp(time.time(), UTC)
    opens_at, closes_at = now - timedelta(minutes=5), now + timedelta(hours=1)
    return {"opens_at": opens_at.isoformat(), "closes_at": closes_at.isoformat()}
