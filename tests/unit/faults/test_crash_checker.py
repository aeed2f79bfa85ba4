"""The judge of the crash points finds what is spoilt, each thing by itself."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from tests.faults.checker.outside import GENESIS, digest
from tests.faults.crash.checker import Place, Seen, _faults
from tests.faults.crash.history import Call, History
from tests.faults.crash.topics import Topics

KEY = "lane1-1-0-a"
ALONE = 3


def stream(topic: str, *told: tuple[str, int]) -> list[dict[str, Any]]:
    """Events, numbered and chained."""
    events: list[dict[str, Any]] = []
    for sequence, (kind, number) in enumerate(told, 1):
        value = json.dumps({"number": number}).encode()
        one = {"key": KEY, "topic": topic, "sequence": sequence, "id": f"{topic}-{sequence}"}
        one |= {"previous": digest(events[-1]) if events else GENESIS, "time": "2026-01-01"}
        events.append({**one, "type": f"{topic}.{kind}.v1", "value": value})
    return events


def called(number: int, outcome: str = "accepted") -> Call:
    call = Call("loan", "shelf-1", KEY, number, invoked=number, answered=number + 0.5)
    call.outcome = outcome  # type: ignore[assignment]
    return call


@pytest.fixture
def seen() -> Seen:
    events = stream("telar.shelf", ("book-lent", 1), ("book-lent", 2))
    answers = stream("telar.reader", ("card-noted", 1), ("card-noted", 2))
    shelf, reader = Place(2, digest(events[-1])), Place(2, digest(answers[-1]))
    positions = {"shelf gave": shelf, "reader applied": shelf}
    positions |= {"reader gave": reader, "shelf applied": reader}
    return Seen(KEY, events, answers, [1, 2], [1, 2], [1, 2], positions)


def faults(seen: Seen, *calls: Call) -> list[str]:
    return list(_faults(seen, list(calls) or [called(1), called(2)], History()))


def test_nothing_is_wrong_where_all_is_as_it_was_told(seen: Seen) -> None:
    assert faults(seen) == []


def test_a_lost_a_doubled_and_a_made_up_event_are_found(seen: Seen) -> None:
    assert any("accepted, and 0 times" in one for one in faults(seen, *map(called, (1, 2, 3))))
    assert any(
        "refused, and 1 times" in one for one in faults(seen, called(1), called(2, "refused"))
    )
    assert any("nobody asked" in one for one in faults(seen, called(1)))
    twice = stream("telar.shelf", *[("book-lent", number) for number in (1, 2, 2)])
    assert any("accepted, and 2 times" in one for one in faults(replace(seen, events=twice)))


def test_an_unknown_one_may_have_happened_or_not(seen: Seen) -> None:
    assert faults(seen, called(1), called(2), called(3, "unknown")) == []
    assert faults(seen, called(1), called(2, "unknown")) == []


@pytest.mark.parametrize("wrong", [[1], [1, 2, 2], [2, 1]])
def test_an_effect_that_is_missing_doubled_or_out_of_order_is_found(
    seen: Seen, wrong: list[int]
) -> None:
    assert faults(replace(seen, ledger=wrong))
    assert faults(replace(seen, card=wrong))
    assert faults(replace(seen, receipts=wrong))


def test_what_was_asked_later_and_stands_before_is_found(seen: Seen) -> None:
    turned = stream("telar.shelf", ("book-lent", 2), ("book-lent", 1))
    assert any("overtook" in one for one in faults(replace(seen, events=turned)))


@pytest.mark.parametrize("name", ["shelf gave", "reader applied", "reader gave", "shelf applied"])
def test_a_position_that_is_behind_or_of_another_event_is_found(seen: Seen, name: str) -> None:
    there = seen.positions[name]
    behind = {**seen.positions, name: there._replace(number=1)}
    other = {**seen.positions, name: there._replace(digest=GENESIS)}
    assert faults(replace(seen, positions=behind)) == [f"{name} 1 of 2"]
    assert faults(replace(seen, positions=other)) == [f"{name} 2, and it is another event"]


def test_a_gap_in_the_numbers_and_a_broken_chain_are_found(seen: Seen) -> None:
    gap = [{**event, "sequence": event["sequence"] * 2} for event in seen.events]
    assert any("numbered [2, 4]" in one for one in faults(replace(seen, events=gap)))
    broken = [seen.events[0], {**seen.events[1], "previous": GENESIS}]
    assert any("the chain breaks at 2" in one for one in faults(replace(seen, events=broken)))


def record(event: dict[str, Any]) -> SimpleNamespace:
    """As the client of Kafka hands it over."""
    names = ("id", "sequence", "previous", "type", "time")
    headers = [(f"ce_{name}", str(event[name]).encode()) for name in names]
    topic, key = f"lane1.{event['topic']}", event["key"].encode()
    return SimpleNamespace(topic=topic, key=key, value=event["value"], headers=headers)


def test_what_kafka_lacks_has_otherwise_or_alone_is_found(seen: Seen) -> None:
    topics = Topics("nowhere", "lane1")
    for event in seen.events:
        topics._note(record(event))
        topics._note(record(event))  # sent twice: that is allowed
    assert list(topics.differing("telar.shelf", KEY, seen.events)) == []
    more = stream("telar.shelf", *[("book-lent", number) for number in (1, 2, ALONE)])
    assert list(topics.differing("telar.shelf", KEY, more)) == ["telar.shelf 3 is not in Kafka"]
    topics._note(record(more[-1]))
    assert list(topics.differing("telar.shelf", KEY, seen.events)) == [
        "telar.shelf 3 is in Kafka alone"
    ]
    other = [seen.events[0], {**seen.events[1], "id": "another"}]
    assert "telar.shelf 2 is not in Kafka" in topics.differing("telar.shelf", KEY, other)
    topics._note(record(other[1]))
    assert any("two events with one number" in one for one in topics.differing("t", KEY, []))
