"""Positions as callers carry them: how many, and for how long a query waits."""

import time

import pytest

from shared.chassis import positions
from shared.chassis.errors import Problem
from shared.chassis.memory import MemoryStore
from shared.chassis.positions import MOST_CHARACTERS, MOST_PLACES, read, told, wait_for
from tests.integration.core_suite import chain


def test_what_is_told_can_be_handed_on_whole() -> None:
    events = [event for n in range(MOST_PLACES + 20) for event in chain(f"{n:064}", 1, 2)]
    handed = told(events, None)
    assert handed is not None
    assert len(handed) <= MOST_CHARACTERS
    places = read(handed)
    assert [place.key for place in places] == [f"{n:064}" for n in range(MOST_PLACES)]
    assert {(place.topic, place.sequence) for place in places} == {("shelf", 2)}


def test_what_nobody_was_told_is_refused() -> None:
    for after in ("shelf/ana/1,", ",".join(["shelf/ana/1"] * (MOST_PLACES + 1)), "shelf/ana/1,x"):
        with pytest.raises(Problem) as refused:
            read(after)
        assert (refused.value.status, refused.value.code) == (400, "after-malformed")


def test_she_is_told_of_her_own_stream_alone() -> None:
    events = [*chain("ana", 1, 2), *chain("bea", 1)]
    assert told(events, {"ana"}) == "shelf/ana/2"
    assert told(events, {"eva"}) is None
    assert told(events, None) == "shelf/ana/2,shelf/bea/1"


async def test_many_places_are_waited_for_no_longer_than_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(positions, "WAIT_SECONDS", 0.2)
    places = read(",".join(f"shelf/key-{number}/1" for number in range(MOST_PLACES)))
    began = time.monotonic()
    assert not await wait_for(MemoryStore(), "reader", places)
    assert time.monotonic() - began < 5.0  # one after another they would take 25 seconds
