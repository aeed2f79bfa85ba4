"""What an operator is told of a topic that differs from the streams."""

import pytest

from shared.chassis.memory import MemoryStore
from shared.chassis.operations import checked
from shared.chassis.ports import Document


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ({1, 2, 3}, []),
        ({1, 2}, [(2, 3)]),
        ({3}, [(1, 1)]),  # the beginning was lost: what is lacking is not what comes after one
        ({1, 3}, [(2, 2)]),
        (set(), [(0, 1)]),
        ({1, 2, 3, 4}, [(4, None)]),
    ],
)
async def test_the_first_number_that_kafka_lacks_is_named(
    there: set[int], told: list[tuple[int, int | None]]
) -> None:
    store = MemoryStore()
    stream: Document = {"_id": "ana", "out": {"trade": [3, "digest"]}, "in": {}, "parked": {}}
    store.apply({("streams", "ana"): stream})
    found = [one async for one in checked._differences(store, "telar.trade", {"ana": there})]
    assert [(one.in_kafka, one.lacks) for one in found] == told
