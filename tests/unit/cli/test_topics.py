"""A topic against the heads of its publisher, with traffic going on."""

from pathlib import Path
from typing import Any

import pytest

from cli.operator.topics import Kept, compared
from tests.unit.cli.operator_api import Script, page, stretch


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path)


def heads(**keys: int) -> dict[str, Any]:
    """A page of streams; `_c` consumes only."""
    rows = [{"key": key, "out": [head, "hash"]} for key, head in keys.items()]
    return page(*rows, {"key": "_c", "out": None})


def found(script: Script) -> list[tuple[str, str, str]]:
    told = compared(script.api, "trade", Kept(), settle=0.0)
    return [(one.code, one.key, one.detail) for one in told]


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ([[1, 3]], []),
        ([[1, 2]], ["lacks 3 of 3"]),
        ([[3, 3]], ["lacks 1 of 3"]),  # the beginning was lost: later ones may stand there
        ([[1, 1], [3, 3]], ["lacks 2 of 3"]),
        ([], ["lacks 1 of 3"]),
        ([[1, 4]], ["Kafka has 4, the outbox 3"]),
        ([[2, 4]], ["lacks 1 of 3", "Kafka has 4, the outbox 3"]),
    ],
)
def test_the_first_number_that_kafka_lacks_and_its_surplus_are_named(
    script: Script, there: list[list[int]], told: list[str]
) -> None:
    script.says("GET trade/streams", heads(ana=3))
    kept: Any = {"ana": there} if there else {}
    script.says("GET trade/topic", stretch(**kept))
    assert [detail for _, _, detail in found(script)] == told


def test_a_key_that_the_publisher_does_not_know_is_named(script: Script) -> None:
    script.says("GET trade/streams", heads())
    script.says("GET trade/topic", stretch(eva=[[1, 2]]))
    assert found(script) == [("kafka-ahead", "eva", "Kafka has 2, the outbox 0")]


def test_a_topic_is_read_stretch_by_stretch(script: Script) -> None:
    script.says("GET trade/streams", heads(ana=4, eva=1))
    first = stretch(ana=[[1, 1], [3, 3]], at_end=False) | {"offsets": "0:2"}
    script.says("GET trade/topic", first, stretch(ana=[[2, 2], [4, 4]], eva=[[1, 1]]))
    assert found(script) == []
    assert script.bodies("GET trade/topic") == [{}, {"offsets": "0:2"}]


def test_what_is_just_on_its_way_to_kafka_is_no_finding(script: Script) -> None:
    script.says("GET trade/streams", heads(ana=3))
    script.says("GET trade/topic", stretch(ana=[[1, 2]]), stretch(ana=[[3, 3]]))
    assert found(script) == []
    assert script.bodies("GET trade/topic")[1] == {"offsets": "0:3"}, "only what came since"


def test_what_a_busy_key_has_lost_is_named_however_often_it_publishes(script: Script) -> None:
    script.says("GET trade/streams", heads(fair=7))
    script.says("GET trade/topic", stretch(fair=[[2, 6]]), stretch(fair=[[7, 9]]))
    script.answers["GET trade/streams"].append((200, heads(fair=9)))
    assert found(script) == [("not-in-kafka", "fair", "lacks 1 of 7")]


def test_what_is_lost_is_named_beside_any_number_of_keys_that_publish(script: Script) -> None:
    many = {f"k{number:03}": 1 for number in range(150)}
    script.says("GET trade/streams", heads(**many, zoe=1))
    late: Any = {key: [[1, 1]] for key in many}
    script.says("GET trade/topic", stretch(), stretch(**late))
    assert found(script) == [("not-in-kafka", "zoe", "lacks 1 of 1")]


def test_what_was_published_while_the_topic_was_read_is_not_ahead(script: Script) -> None:
    script.says("GET trade/streams", heads(ana=3), heads(ana=5))
    script.says("GET trade/topic", stretch(ana=[[1, 5]]))
    assert found(script) == []
