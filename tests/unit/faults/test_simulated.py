"""The checker of the simulation: a loss or a restore excuses what it explains, and nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from tests.faults.sim.checker import Evidence, Record, _offsets, _sent, _subscribers

SHOP = "telar.shop"


def event(key: str, sequence: int) -> dict[str, Any]:
    return {"topic": SHOP, "key": key, "sequence": sequence, "type": f"{SHOP}.entry-made.v1"}


def record(partition: int, offset: int, key: str, sequence: int) -> Record:
    return Record(SHOP, partition, offset, key, f"id-{key}-{sequence}", sequence, b"{}")


def evidence(*harmed: int) -> Evidence:
    """Two keys of shop, each in a partition of its own; view has read all of them."""
    commits = {key: {"events": [event(key, 1), event(key, 2)]} for key in "ab"}
    streams = {key: {"in": {"shop": (2, "")}} for key in "ab"}
    ops = {"a": ["o1", "o2"], "b": ["o3"]}
    view = {
        "streams": streams,
        "offsets": {f"{SHOP}/{number}": {"next": 2} for number in (0, 1)},
        "lines": _lines(ops, "-made") | _lines(ops, "-noted"),
    }
    shop = {"outbox": commits, "accounts": _lines(ops), "echoes": _lines(ops)}
    records = [record(n, at, key, at + 1) for n, key in enumerate("ab") for at in (0, 1)]
    services = {"shop": shop, "desk": {"mirrors": _lines(ops)}, "view": view}
    return Evidence(services, records, frozenset((SHOP, number) for number in harmed))


def _lines(ops: dict[str, list[str]], end: str = "") -> dict[str, dict[str, list[str]]]:
    return {f"{key}{end}": {"ops": list(some)} for key, some in ops.items()}


def found(one: Evidence) -> set[str]:
    findings = [*_sent(one), *_offsets(one), *_subscribers(one)]
    return {invariant for invariant, _ in findings}


def test_nothing_is_wrong_with_what_is_right() -> None:
    assert found(evidence()) == set()
    assert found(replace(evidence(), restored=frozenset({"desk"}))) == set()


@pytest.mark.parametrize(("harmed", "wrong"), [((), True), ((0,), True), ((1,), False)])
def test_a_loss_in_one_partition_excuses_no_offset_of_another(
    harmed: tuple[int, ...], wrong: bool
) -> None:
    one = evidence(*harmed)
    one.services["view"]["streams"]["b"]["in"]["shop"] = (1, "")
    assert found(one) == ({"offsets"} if wrong else set())


@pytest.mark.parametrize(("harmed", "wrong"), [((), True), ((0,), True), ((1,), False)])
def test_a_loss_in_one_partition_excuses_nothing_that_another_lacks(
    harmed: tuple[int, ...], wrong: bool
) -> None:
    one = evidence(*harmed)
    lacks = replace(one, records=one.records[:-1])
    assert found(lacks) == ({"sent"} if wrong else set())


def test_a_key_of_which_no_record_is_left_may_have_stood_in_the_harmed_partition() -> None:
    one = evidence(1)
    assert found(replace(one, records=one.records[:2])) == set()


def test_a_restored_publisher_excuses_nothing_that_another_said() -> None:
    one = replace(evidence(), restored=frozenset({"desk"}))
    one.services["view"]["lines"]["a-noted"]["ops"].append("o1")
    assert found(one) == set()
    one.services["view"]["lines"]["a-made"]["ops"].append("o1")
    assert found(one) == {"subscribers"}
