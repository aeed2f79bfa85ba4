"""An own topic is read in stretches that fit into an answer."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.chassis.envelope import encode
from shared.chassis.memory import MemoryBus
from shared.chassis.operations import checked
from shared.chassis.ranges import Range, merged
from tests.integration.core_suite import chain
from tests.support import mini
from tests.support.app import Running, running
from tests.unit.chassis.test_core import Ticking


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Running]:
    """Its topic holds three events of Ana and five of Bea, the last of those twice."""
    bus = MemoryBus()
    async with running(mini.SHELF, tmp_path, Ticking(), bus) as service:
        ana, bea = chain("ana", 1, 2, 3), chain("bea", 1, 2, 3, 4, 5)
        producer = await bus.producer()
        await producer.send([encode(one) for one in (*ana, *bea, bea[4])], 5.0)
        yield service


async def stretches(shelf: Running) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    offsets = ""
    while not found or not found[-1]["at_end"]:
        found.append(await shelf.json("/operations/shelf/topic", offsets=offsets))
        offsets = found[-1]["offsets"]
    return found


async def test_what_fits_is_one_answer_and_the_next_begins_behind_it(shelf: Running) -> None:
    (whole,) = await stretches(shelf)
    assert whole["records"] == 9
    assert whole["numbers"] == {"ana": [[1, 3]], "bea": [[1, 5]]}
    more = await shelf.json("/operations/shelf/topic", offsets=whole["offsets"])
    assert (more["records"], more["numbers"], more["at_end"]) == (0, {}, True)


async def test_no_answer_holds_more_than_fits_and_together_they_hold_all(
    shelf: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked, "_RECORDS", 2)
    found = await stretches(shelf)
    assert [one["records"] for one in found[:4]] == [2, 2, 2, 2]
    assert sum(one["records"] for one in found) == 9
    for key, last in (("ana", 3), ("bea", 5)):
        ranges = [(a, b) for one in found for a, b in one["numbers"].get(key, ())]
        assert merged(ranges) == [(1, last)]


async def test_an_answer_that_took_its_time_ends_there(
    shelf: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked, "_SECONDS", -1.0)
    assert len(await stretches(shelf)) > 1


@pytest.mark.parametrize("offsets", ["0", "0:", "a:1", "0:1,", "0:-1", "\u0661:1"])
async def test_offsets_of_another_shape_are_refused(shelf: Running, offsets: str) -> None:
    answer = await shelf.http.get("/operations/shelf/topic", params={"offsets": offsets})
    assert (answer.status_code, answer.json()["code"]) == (422, "body-invalid")


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ([], []),
        ([(2, 2), (1, 1)], [(1, 2)]),
        ([(1, 4), (2, 3), (6, 6)], [(1, 4), (6, 6)]),
        ([(5, 9), (1, 4)], [(1, 9)]),
    ],
)
def test_ranges_are_merged(given: list[Range], found: list[Range]) -> None:
    assert merged(given) == found
