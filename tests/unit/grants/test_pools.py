from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.grants.domain.pools import (
    MAX_WAITING,
    PAUSE,
    POOLS,
    PROMOTED_AT_ONCE,
    AwardQueued,
    AwardUnqueued,
    Commit,
    Disburse,
    Increase,
    Leave,
    OpenPool,
    Pool,
    PoolCommand,
    PromotionPaused,
    Reduce,
    Release,
    Reserve,
    Return,
    Waiting,
)
from shared.events.grants import (
    Balances,
    FundsCommitted,
    FundsReserved,
    PoolIncreased,
    PoolOpened,
    PoolReduced,
)
from shared.model import Tick
from shared.types import MAX_COUNT, MAX_MONEY
from tests.support.spec import NOON, Spec

OPEN = Spec(POOLS).given(PoolOpened(pool_id="pool-1", amount=100, balances=Balances(available=100)))


def reserved(award_id: str, amount: int, available: int, held: int) -> FundsReserved:
    balances = Balances(available=available, reserved=held)
    return FundsReserved(pool_id="pool-1", award_id=award_id, amount=amount, balances=balances)


def queued(award_id: str, amount: int, rank: int) -> AwardQueued:
    return AwardQueued(award_id=award_id, amount=amount, rank=rank)


HOLDING_60 = OPEN.given(reserved("a-1", 60, 40, 60))
WAITING_50_10 = HOLDING_60.given(queued("a-2", 50, 1), queued("a-3", 10, 2))


def test_a_pool_opens_with_its_money_available() -> None:
    opened = PoolOpened(pool_id="pool-1", amount=100, balances=Balances(available=100))
    Spec(POOLS).when(OpenPool(pool_id="pool-1", amount=100)).then(opened)
    OPEN.when(OpenPool(pool_id="pool-1", amount=100)).then_nothing()


def test_a_pool_is_not_opened_again_with_other_money() -> None:
    """Whatever came to it since; nor where it is too old to know what it began with."""
    for spec in (OPEN, OPEN.when(Increase(amount=1)), HOLDING_60):
        spec.when(OpenPool(pool_id="pool-1", amount=101)).then_refused("pool-exists")
        spec.when(OpenPool(pool_id="pool-1", amount=100)).then_nothing()
    before = Spec(POOLS, Pool(id="pool-1", balances=Balances(available=100)))
    before.when(OpenPool(pool_id="pool-1", amount=100)).then_refused("pool-exists")


@pytest.mark.parametrize("command", [Increase(amount=1), Reserve(award_id="a-1", amount=1), Tick()])
def test_an_unknown_pool_has_no_money(command: PoolCommand) -> None:
    Spec(POOLS).when(command).then_refused("pool-unknown")


def test_money_is_put_in_and_taken_out_of_what_is_available() -> None:
    more = PoolIncreased(pool_id="pool-1", amount=20, balances=Balances(available=120))
    OPEN.when(Increase(amount=20)).then(more)
    less = PoolReduced(pool_id="pool-1", amount=100, balances=Balances())
    OPEN.when(Reduce(amount=100)).then(less)


def test_what_is_reserved_cannot_be_taken_out() -> None:
    short = HOLDING_60.when(Reduce(amount=41)).then_refused("pool-money-short")
    assert short.refusal is not None
    assert short.refusal.known == {"available": 40}


def test_a_pool_holds_no_more_than_can_be_recorded() -> None:
    OPEN.when(Increase(amount=MAX_MONEY)).then_refused("pool-too-large")


def test_an_award_that_the_pool_covers_is_reserved() -> None:
    OPEN.when(Reserve(award_id="a-1", amount=60)).then(reserved("a-1", 60, 40, 60))


def test_an_award_that_the_pool_cannot_cover_stands_in_line_once() -> None:
    waits = HOLDING_60.when(Reserve(award_id="a-2", amount=41)).then(queued("a-2", 41, 1))
    waits.when(Reserve(award_id="a-2", amount=41)).then_nothing()


def test_a_small_award_does_not_overtake_a_large_one_that_waits() -> None:
    WAITING_50_10.when(Reserve(award_id="a-4", amount=1)).then(queued("a-4", 1, 3))


def test_too_small_an_increase_promotes_nobody() -> None:
    more = PoolIncreased(pool_id="pool-1", amount=9, balances=Balances(available=49, reserved=60))
    WAITING_50_10.when(Increase(amount=9)).then(more)


def test_an_increase_promotes_in_order_while_it_suffices() -> None:
    more = PoolIncreased(pool_id="pool-1", amount=20, balances=Balances(available=60, reserved=60))
    WAITING_50_10.when(Increase(amount=20)).then(
        more, reserved("a-2", 50, 10, 110), reserved("a-3", 10, 0, 120)
    )


def test_when_the_first_leaves_the_line_the_next_is_tried() -> None:
    WAITING_50_10.when(Leave(award_id="a-2")).then(
        AwardUnqueued(award_id="a-2"), reserved("a-3", 10, 30, 70)
    )
    WAITING_50_10.when(Leave(award_id="a-9")).then_nothing()


def test_money_moves_from_bucket_to_bucket() -> None:
    committed = FundsCommitted(
        pool_id="pool-1",
        award_id="a-1",
        amount=60,
        balances=Balances(available=40, committed=60),
    )
    done = HOLDING_60.when(Commit(award_id="a-1", amount=60)).then(committed)
    paid = done.when(Disburse(award_id="a-1", amount=50))
    back = paid.when(Return(award_id="a-1", amount=10))
    assert back.state.balances == Balances(available=50, disbursed=50)
    assert back.state.total == 100


@pytest.mark.parametrize("move", [Release, Commit, Disburse, Return])
def test_no_bucket_goes_below_nothing(move: Any) -> None:
    HOLDING_60.when(move(award_id="a-1", amount=61)).then_refused("pool-money-short")


def test_a_long_line_is_promoted_by_pages() -> None:
    line = tuple(
        Waiting(award_id=f"a-{rank}", amount=1, rank=rank)
        for rank in range(1, PROMOTED_AT_ONCE + 3)
    )
    world = Spec(POOLS, Pool(id="pool-1", balances=Balances(), waiting=line))
    first = world.when(Increase(amount=PROMOTED_AT_ONCE + 1))
    assert first.events[-1] == PromotionPaused(resume_at=NOON + PAUSE)
    assert first.state.balances.reserved == PROMOTED_AT_ONCE
    first.then_due(NOON + PAUSE).when(Tick(), at=NOON).then_nothing()
    rest = first.when(Tick(), at=NOON + PAUSE)
    assert [one.award_id for one in rest.state.waiting] == [f"a-{PROMOTED_AT_ONCE + 2}"]
    rest.then_due(None)


def test_a_full_line_takes_no_more() -> None:
    one = Waiting(award_id="a-1", amount=1, rank=1)
    full = Pool(id="pool-1", balances=Balances(), waiting=(one,) * MAX_WAITING)
    Spec(POOLS, full).when(Reserve(award_id="a-9", amount=1)).then_refused("pool-list-full")


def test_no_rank_is_given_beyond_the_last_number() -> None:
    spent = Pool(id="pool-1", balances=Balances(), last_rank=MAX_COUNT)
    Spec(POOLS, spent).when(Reserve(award_id="a-9", amount=1)).then_refused("pool-list-full")


AMOUNTS = st.integers(1, 60)
IDS = st.sampled_from(["a-1", "a-2", "a-3", "a-4"])
COMMANDS = st.one_of(
    st.builds(Increase, amount=AMOUNTS),
    st.builds(Reduce, amount=AMOUNTS),
    st.builds(Leave, award_id=IDS),
    *(st.builds(k, award_id=IDS, amount=AMOUNTS) for k in (Reserve, Release, Commit)),
    *(st.builds(k, award_id=IDS, amount=AMOUNTS) for k in (Disburse, Return)),
)


class Model:
    """A pool as a bookkeeper would keep it."""

    def __init__(self) -> None:
        self.money = {"available": 100, "reserved": 0, "committed": 0, "disbursed": 0}
        self.line: list[tuple[str, int]] = []

    def do(self, command: Any) -> bool:
        """Whether it may be done; done if so."""
        match command:
            case Reserve(award_id=id_, amount=amount):
                if id_ not in dict(self.line):
                    self.line.append((id_, amount))
            case Leave(award_id=id_):
                self.line = [one for one in self.line if one[0] != id_]
            case _:
                takes, gives = MOVES[type(command)]
                if takes and self.money[takes] < command.amount:
                    return False
                for bucket, sign in ((takes, -1), (gives, 1)):
                    if bucket:
                        self.money[bucket] += sign * command.amount
        while self.line and self.line[0][1] <= self.money["available"]:
            _, amount = self.line.pop(0)
            self.money["available"] -= amount
            self.money["reserved"] += amount
        return True


MOVES: dict[type, tuple[str, str]] = {
    Increase: ("", "available"),
    Reduce: ("available", ""),
    Release: ("reserved", "available"),
    Commit: ("reserved", "committed"),
    Disburse: ("committed", "disbursed"),
    Return: ("committed", "available"),
}


@settings(max_examples=150, deadline=None)
@given(st.lists(COMMANDS, max_size=30))
def test_a_pool_keeps_the_books_of_a_plain_model(commands: list[Any]) -> None:
    spec, model = OPEN, Model()
    for number, command in enumerate(commands):
        done = spec.when(command, at=NOON + timedelta(minutes=number))
        assert model.do(command) == (done.refusal is None)
        spec = done
        assert spec.state.balances.model_dump() == model.money
        assert [(one.award_id, one.amount) for one in spec.state.waiting] == model.line
