"""Small cells are not shown, nor what would give them away."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.gateway.domain.cells import SMALL, hidden, shown
from services.gateway.domain.people import WOMEN

TIMES = "payments_confirmed"
AMOUNT = "paid_amount"


def row(women: int, times: int, amount: int) -> dict[str, int]:
    of = {TIMES: times, AMOUNT: amount, WOMEN + TIMES: women, WOMEN + AMOUNT: women}
    return {name: value for name, value in of.items() if value}


@st.composite
def rows(draw: st.DrawFn) -> dict[str, dict[str, int]]:
    states = draw(st.lists(st.sampled_from([f"{n:02}" for n in range(1, 10)]), unique=True))
    made = {}
    for state in states:
        women = draw(st.integers(0, 12))
        times = women * draw(st.integers(1, 12))
        made[state] = row(women, times, times * draw(st.integers(1, 500)))
    return made


@pytest.mark.parametrize(
    ("women", "gone"),
    [
        ({}, ""),
        ({"07": 5, "20": 6}, ""),
        ({"07": 4}, "07"),
        ({"07": 1, "20": 30, "31": 9}, "07 31"),
        ({"07": 1, "20": 30, "31": 9, "32": 4}, "07 32"),
        ({"07": 1, "20": 30, "31": 9, "32": 1}, "07 31 32"),
        ({"07": 1, "20": 5, "31": 5}, "07 20"),
        ({"07": 1, "20": 2}, "07 20"),
    ],
)
def test_a_small_cell_takes_the_smallest_others_along(women: dict[str, int], gone: str) -> None:
    assert sorted(hidden(women)) == gone.split()


def test_one_woman_who_was_paid_five_times_is_one_woman() -> None:
    cells, total = shown({"20": row(1, 5, 500), "31": row(9, 9, 900)}, [TIMES, AMOUNT])
    assert cells == {"20": {TIMES: None, AMOUNT: None}, "31": {TIMES: None, AMOUNT: None}}
    assert total == {TIMES: 14, AMOUNT: 1400}


def test_a_total_of_few_women_is_not_shown_and_nothing_is_shown_as_nothing() -> None:
    cells, total = shown({"20": row(1, 1, 500), "31": {}}, [TIMES])
    assert (cells, total) == ({"20": {TIMES: None}, "31": {TIMES: 0}}, {TIMES: None})
    assert shown({"31": {}}, [TIMES]) == ({"31": {TIMES: 0}}, {TIMES: 0})


def test_what_was_counted_before_women_were_is_not_shown() -> None:
    cells, total = shown({"20": {TIMES: 70}}, [TIMES])
    assert (cells["20"][TIMES], total[TIMES]) == (None, None)


@given(rows())
@example({"07": row(1, 1, 300), "20": row(4, 4, 400), "31": row(30, 60, 9_000)})
def test_no_hidden_cell_is_the_total_minus_what_is_shown(of: dict[str, dict[str, int]]) -> None:
    cells, total = shown(of, [TIMES, AMOUNT])
    for name in (TIMES, AMOUNT):
        gone = {state for state in of if cells[state][name] is None}
        women = {state: counts.get(WOMEN + name, 0) for state, counts in of.items()}
        assert {state for state, number in women.items() if 0 < number < SMALL} <= gone
        for state in of.keys() - gone:
            assert cells[state][name] == of[state].get(name, 0)
        if total[name] is None:
            assert 0 < sum(women.values()) < SMALL
            continue
        assert total[name] == sum(counts.get(name, 0) for counts in of.values())
        assert not gone or (len(gone) > 1 and sum(women[state] for state in gone) >= SMALL)
    assert {s for s in of if cells[s][TIMES] is None} == {s for s in of if cells[s][AMOUNT] is None}


@given(rows())
def test_nothing_is_hidden_where_nothing_is_small(of: dict[str, dict[str, int]]) -> None:
    large = {state: counts for state, counts in of.items() if counts.get(WOMEN + TIMES, 5) >= SMALL}
    cells, _ = shown(large, [TIMES, AMOUNT])
    assert all(value is not None for cell in cells.values() for value in cell.values())
