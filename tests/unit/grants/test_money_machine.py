"""Grants on two replicas at once, against books that a clerk could keep on paper."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.grants.domain.applications import APPLICATIONS, Nominate
from services.grants.domain.awards import AWARDS, Approve, Cancel
from services.grants.domain.holds import Hold
from services.grants.domain.offers import Accept
from services.grants.domain.payments import PAYMENTS, Confirm, Fail
from services.grants.domain.pools import POOLS, Increase, OpenPool, Reduce
from services.grants.domain.rounds import ROUNDS, Announce
from services.grants.domain.tranches import Pay, ReturnMoney
from services.grants.handlers import handlers
from shared.model import Do, Step
from tests.support.replicas import Replicas
from tests.support.spec import NOON
from tests.unit.grants.scenes import PLAN, apply, award_of, certified, enrolled

WOMEN = tuple(f"ana-{number}" for number in range(6))
WHO = st.sampled_from(WOMEN)
AMOUNTS = st.integers(1, 5).map(lambda number: number * 10_001)
OFFER = timedelta(seconds=60)


@dataclass
class Paper:
    """One award in the books."""

    amount: int
    status: str
    until: datetime | None = None
    parts: dict[int, str] = field(default_factory=dict)
    tries: dict[int, int] = field(default_factory=lambda: {1: 0, 2: 0})

    def part(self, number: int) -> int:
        """What a tranche is worth: two fifths, then the rest."""
        first = self.amount * 4 // 10
        return first if number == 1 else self.amount - first


@dataclass
class Books:
    """The money, who holds what of it, and who waits."""

    money: dict[str, int]
    awards: dict[str, Paper] = field(default_factory=dict)
    line: list[str] = field(default_factory=list)

    def move(self, amount: int, source: str, target: str) -> None:
        """From one bucket to another."""
        self.money[source] -= amount
        self.money[target] += amount

    def serve(self, at: datetime) -> None:
        """The first in line is served as long as the money suffices; nobody overtakes her."""
        while self.line and self.awards[self.line[0]].amount <= self.money["available"]:
            first = self.awards[self.line.pop(0)]
            self.move(first.amount, "available", "reserved")
            first.status, first.until = "offered", at + OFFER

    def end(self, who: str, at: datetime) -> None:
        """She has no award any more."""
        paper = self.awards[who]
        if paper.status == "offered":
            self.move(paper.amount, "reserved", "available")
        else:
            self.line.remove(who)
        paper.status = "ended"
        self.serve(at)


class Money(RuleBasedStateMachine):
    """Each rule is done by both replicas, and once in the books."""

    def __init__(self) -> None:
        super().__init__()
        self.at = NOON
        self.grants = Replicas(handlers)
        self.books = Books({"available": 60_000, "reserved": 0, "committed": 0, "disbursed": 0})
        self.certified: set[str] = set()
        self.do(Do(POOLS, "pool-1", OpenPool(pool_id="pool-1", amount=60_000)))
        self.do(Do(ROUNDS, "round-1", Announce(round_id="round-1", plan=PLAN)))
        for who in WOMEN:
            self.grants.fact(enrolled(who), self.at)

    def teardown(self) -> None:
        self.grants.close()

    def do(self, *steps: Step, actor: str = "officer-1") -> str:
        """A second later; what it was refused for."""
        self.at += timedelta(seconds=1)
        return self.grants.command(*steps, at=self.at, actor=actor)

    def paper(self, who: str, *statuses: str) -> Paper | None:
        """Her award, if it stands so."""
        paper = self.books.awards.get(who)
        return paper if paper and paper.status in statuses else None

    @rule(amounts=st.lists(AMOUNTS, min_size=2, max_size=4))
    def approve_several(self, amounts: list[int]) -> None:
        new = [who for who in WOMEN if who not in self.books.awards]
        for who, amount in zip(new, amounts, strict=False):
            self.approve(who, amount)

    @rule(who=WHO, amount=AMOUNTS)
    def approve(self, who: str, amount: int) -> None:
        if who in self.books.awards:
            return
        self.do(apply(who, amount))
        nominate = Do(APPLICATIONS, award_of(who), Nominate(amount=amount))
        assert self.do(nominate, actor="reviewer-1") == ""
        assert self.do(Do(AWARDS, award_of(who), Approve()), actor="approver-1") == ""
        self.books.awards[who] = Paper(amount, "waiting")
        self.books.line.append(who)
        self.books.serve(self.at)

    @rule(who=WHO)
    def accept(self, who: str) -> None:
        paper = self.paper(who, "offered")
        if paper is None or paper.until is None or self.at + timedelta(seconds=1) >= paper.until:
            return
        assert self.do(Do(AWARDS, award_of(who), Accept()), actor=who) == ""
        self.books.move(paper.amount, "reserved", "committed")
        later = "ready" if who in self.certified else "planned"
        paper.status, paper.parts = "accepted", {1: "ready", 2: later}

    @rule(who=WHO)
    def cancel(self, who: str) -> None:
        if self.paper(who, "offered", "waiting"):
            assert self.do(Do(AWARDS, award_of(who), Cancel(reason_code="documents-false"))) == ""
            self.books.end(who, self.at)

    @rule()
    def wait(self) -> None:
        self.at += OFFER + timedelta(seconds=1)
        self.grants.tick(AWARDS, self.at)
        while late := [one for one in WOMEN if self._is_late(one)]:
            self.books.end(min(late, key=self._order), self.at)

    def _is_late(self, who: str) -> bool:
        paper = self.paper(who, "offered")
        return bool(paper and paper.until and paper.until <= self.at)

    def _order(self, who: str) -> tuple[datetime | None, str]:
        return self.books.awards[who].until, award_of(who)

    @rule(amount=st.integers(1, 40_000))
    def increase(self, amount: int) -> None:
        assert self.do(Do(POOLS, "pool-1", Increase(amount=amount))) == ""
        self.books.money["available"] += amount
        self.books.serve(self.at)

    @rule(amount=st.integers(1, 40_000))
    def reduce(self, amount: int) -> None:
        refused = self.do(Do(POOLS, "pool-1", Reduce(amount=amount)))
        assert bool(refused) == (amount > self.books.money["available"])
        if not refused:
            self.books.money["available"] -= amount

    @rule(who=WHO)
    def certify(self, who: str) -> None:
        self.grants.fact(certified(who), self.at)
        self.certified.add(who)
        paper = self.paper(who, "accepted")
        if paper and paper.parts[2] == "planned":
            paper.parts[2] = "ready"

    @rule(who=WHO, number=st.sampled_from((1, 2)), arrives=st.booleans())
    def pay(self, who: str, number: int, arrives: bool) -> None:
        paper = self.paper(who, "accepted")
        refused = self.do(Do(AWARDS, award_of(who), Pay(tranche=number)), actor="treasurer-1")
        is_ready = paper is not None and paper.parts[number] == "ready"
        assert is_ready == (not refused) or (paper and paper.parts[number] in ("sent", "paid"))
        if paper is None or not is_ready:
            return
        paper.tries[number] += 1
        payment = f"{award_of(who)}:{number}:{paper.tries[number]}"
        ended = Confirm() if arrives else Fail(reason_code="account-closed")
        assert self.do(Do(PAYMENTS, payment, ended)) == ""
        if arrives:
            paper.parts[number] = "paid"
            self.books.move(paper.part(number), "committed", "disbursed")

    @precondition(lambda self: any(p.status == "accepted" for p in self.books.awards.values()))
    @rule(who=WHO)
    def give_back(self, who: str) -> None:
        paper = self.paper(who, "accepted")
        if paper is None or paper.parts[2] not in ("planned", "ready"):
            return
        renounce = Hold(tranche=2, reason_code="renounced")
        assert self.do(Do(AWARDS, award_of(who), renounce), actor=who) == ""
        assert self.do(Do(AWARDS, award_of(who), ReturnMoney(tranche=2))) == ""
        paper.parts[2] = "returned"
        self.books.move(paper.part(2), "committed", "available")
        self.books.serve(self.at)

    @invariant()
    def the_books_agree(self) -> None:
        pool = self.grants.get(POOLS, "pool-1")
        assert pool.balances.model_dump() == self.books.money
        assert [one.award_id for one in pool.waiting] == [award_of(w) for w in self.books.line]
        for who, paper in self.books.awards.items():
            award = self.grants.get(AWARDS, award_of(who))
            names = {"waiting": ("waitlisted",), "ended": ("cancelled", "expired")}
            assert award.status in names.get(paper.status, (paper.status,))


TestMoney = Money.TestCase
TestMoney.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
