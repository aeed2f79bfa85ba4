"""A run of the bench has a figure only if the work was done."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from bench import log
from bench.client import Request
from bench.measures import check, effect, keys, replicas
from bench.plan import FULL


def record(at: float, key: str, sequence: int, order: str = "o") -> log.Seen:
    value = orjson.dumps({"order_id": order})
    return log.Seen(at, key, sequence, {}, value)


class Still:
    """A topic into which nothing more comes."""

    def __init__(self, records: int) -> None:
        self._records = records

    async def end_offsets(self, places: list[Any]) -> Mapping[Any, int]:
        return {places[0]: self._records}


def test_what_was_sent_twice_is_no_throughput() -> None:
    distinct = [record(number / 10, "p", number) for number in range(100)]
    again = [record(number / 10 + 0.05, "p", number) for number in range(100)]
    both = sorted([*distinct, *again], key=lambda one: one.at)
    assert log.rate(both) == pytest.approx(log.rate(distinct))
    told = log.told(both, 1.0)
    assert (told["events"], told["sent_twice"]) == (100, 100)


def test_processor_time_is_of_the_events_after_the_start_alone() -> None:
    seen = [record(number / 10, "p", number) for number in range(100)]
    assert log.told([*seen, seen[7]], 0.8, 100, before=20)["processor_us"] == 10_000
    assert log.told(seen[:20], 0.0, before=20)["processor_us"] == 0


def test_a_side_that_stalled_has_no_rate() -> None:
    seen = [record(number / 10, "p", number) for number in range(10)]
    assert log.told(seen, 1.0, 10)["events"] == 10
    with pytest.raises(RuntimeError, match="10 of 11 events"):
        log.told(seen, 1.0, 11)


async def test_a_side_that_never_began_is_told() -> None:
    tail = log.Tail(cast(Any, Still(0)), "telar.ledger")
    with pytest.raises(RuntimeError, match="0 of 1 records"):
        await tail.reach(1, 0.01)
    await log.Tail(cast(Any, Still(1)), "telar.ledger").reach(1, 0.01)


GOOD = {"sent": 10, "at_the_kill": 4, "effects": 10, "wrong": 0}


@pytest.mark.parametrize(
    "worse",
    [{"wrong": 1}, {"effects": 9}, {"effects": 11}, {"at_the_kill": 0}, {"at_the_kill": 10}],
)
def test_a_side_that_is_not_sound_ends_the_run(worse: dict[str, int]) -> None:
    assert check.sound("it", GOOD) == GOOD
    with pytest.raises(RuntimeError, match="it "):
        check.sound("it", GOOD | worse)


def asked(key: str, order: str) -> Request:
    return Request("POST", f"/people/{key}/orders", {}, orjson.dumps({"order_id": order}))


def test_an_order_lost_and_one_doubled_do_not_cancel_out() -> None:
    wanted = [asked("a", "1"), asked("a", "2"), asked("b", "3")]
    right = [record(1, "a", 1, "1"), record(2, "a", 2, "2"), record(3, "b", 1, "3")]
    assert check.unlike(wanted, right, {"a": 2, "b": 1}) == 0
    wrong = [record(1, "a", 1, "1"), record(2, "a", 2, "1"), record(3, "b", 1, "3")]
    assert check.unlike(wanted, wrong, {"a": 2, "b": 1}) == 2
    assert check.unlike(wanted, right, {"a": 1, "b": 2}) == 2


def test_an_effect_that_never_came_ends_the_run(tmp_path: Path) -> None:
    source, sink = tmp_path / "source", tmp_path / "sink"
    commits = [(0.5, "before", "c"), (1.0, "one", "c"), (1.1, "two", "c"), (9.0, "after", "c")]
    source.write_bytes(orjson.dumps(commits))
    sink.write_bytes(orjson.dumps([(1.5, "e", "one"), (1.7, "f", "two")]))
    assert effect._delays(source, sink, 0.9, 5.0) == pytest.approx([0.5, 0.6])
    sink.write_bytes(orjson.dumps([(1.5, "e", "one")]))
    with pytest.raises(RuntimeError, match="1 of 2 commits have no effect"):
        effect._delays(source, sink, 0.9, 5.0)
    with pytest.raises(RuntimeError, match="0 of 0"):
        effect._delays(source, sink, 2.0, 5.0)


def test_a_counter_is_summed_over_its_labels() -> None:
    text = (
        "# HELP telar_applied_total Events applied\n"
        'telar_applied_total{type="a.v1"} 3.0\n'
        'telar_applied_total{type="b.v1"} 4.0\n'
        "telar_conflicts_total 2.0\n"
    )
    assert replicas._total(text, "telar_applied_total") == 7
    assert replicas._total(text, "telar_conflicts_total") == 2
    assert replicas._total(text, "telar_ticks_total") == 0


def test_a_store_is_warmed_before_it_counts_and_no_side_is_always_first() -> None:
    made = list(keys.runs(FULL))
    for use in {use for _, use, _ in made}:
        mine = [(counts, both[0].name) for counts, same, both in made if same == use]
        assert [counts for counts, _ in mine] == [False, True, True, True]
        assert {first for counts, first in mine if counts} == {"telar", "by_hand"}
