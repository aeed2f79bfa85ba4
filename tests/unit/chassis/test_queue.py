"""How many intents are taken at once, and of which kind."""

from collections import Counter
from datetime import UTC, datetime

from shared.chassis.errors import Malformed
from shared.chassis.mending import Drain
from shared.chassis.ports import Record
from shared.chassis.queue import FEWEST_INTENTS, MOST_INTENTS, Queue
from shared.chassis.work import Arrival, Reading, Work
from shared.model import Context

NOW = Context(at=datetime(2026, 3, 1, tzinfo=UTC), actor="op", cause="c", correlation="c")


def commands(count: int) -> list[Work]:
    return [Drain(NOW, "telar.shelf", str(number)) for number in range(count)]


def arrivals(count: int) -> list[Work]:
    reading = Reading()
    records = [Record("telar.shelf", 0, number, b"k", b"", ()) for number in range(count)]
    return [Arrival(NOW, record, Malformed("envelope"), reading) for record in records]


def kinds(works: list[Work]) -> Counter[str]:
    return Counter(type(work).__name__ for work in works)


async def test_each_kind_that_waits_has_at_least_a_quarter_of_a_batch() -> None:
    queue = Queue()
    queue.add(arrivals(1000))
    queue.add(commands(1000))
    assert kinds(queue.take()) == {"Arrival": 375, "Drain": 125}
    queue.took_too_long(commands(1))
    assert kinds(queue.take()) == {"Arrival": 1, "Drain": 1}


async def test_one_kind_alone_fills_a_batch_in_its_order() -> None:
    queue = Queue()
    queue.add(waits := commands(600))
    assert queue.take() == waits[:MOST_INTENTS]
    assert queue.take() == waits[MOST_INTENTS:]
    assert not queue


async def test_what_is_removed_is_not_taken() -> None:
    queue = Queue()
    queue.add(gone := arrivals(3))
    queue.add(kept := arrivals(2))
    queue.remove(gone)
    assert queue.take() == kept
    assert not queue


async def test_only_a_full_and_quick_batch_makes_the_next_one_larger() -> None:
    queue = Queue()
    queue.took_too_long(commands(400))
    assert queue.most == 100
    queue.was_quick(commands(99))
    assert queue.most == 100
    queue.was_quick(commands(100))
    assert queue.most == 200
    for _ in range(9):
        queue.was_quick(commands(500))
    assert queue.most == MOST_INTENTS
    for _ in range(9):
        queue.took_too_long(commands(FEWEST_INTENTS))
    assert queue.most == FEWEST_INTENTS
