"""Where the streams of a key stand, side by side."""

from typing import Any

import pytest

from cli.operator.positions import NOWHERE, differences
from shared.chassis.envelope import GENESIS
from tests.unit.cli.operator_api import stream

TAKEN_BACK: dict[str, Any] = {
    "key": "ana",
    "out": None,
    "applied": {"trade": [0, GENESIS]},
    "parked": [],
}


@pytest.mark.parametrize("published", [None, {"key": "ana", "out": None, "applied": {}}])
def test_whoever_was_taken_back_to_the_beginning_is_level_with_a_publisher_that_knows_nothing(
    published: dict[str, Any] | None,
) -> None:
    """`adopt fork --from 1` leaves the place before the first event, and no other would end it."""
    streams = {"gateway": [TAKEN_BACK], "trade": [published] if published else []}
    assert list(differences(streams, {"gateway": {"trade"}, "trade": set()})) == []


def test_whoever_was_taken_back_to_the_beginning_lacks_what_there_is() -> None:
    streams = {"gateway": [TAKEN_BACK], "trade": [stream("trade")]}
    [one] = differences(streams, {"gateway": {"trade"}})
    assert (one.here, one.there.sequence, one.is_fork) == (NOWHERE, 3, False)
