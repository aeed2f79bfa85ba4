"""What a release has missed, where the one before it was written past the place it is read on."""

import pytest

from shared.chassis import streams
from shared.chassis.envelope import encode
from shared.chassis.handled import Handled
from shared.chassis.memory import MemoryBus, MemoryStore
from tests.integration.core_suite import LENT, CoreSuite, chain

PLACE = ("telar.shelf", 0)
KEYS = ("ana", "gil", "lia", "noa", "pia")
"""All of one partition: the first event of each stands at 0, 1, 2, 3, 4."""


class Group:
    """A partition of five events, and the releases that read it one after another."""

    def __init__(self) -> None:
        self.store, self.bus = MemoryStore(), MemoryBus()

    async def start(self) -> None:
        await self.bus.ensure({"telar.shelf": 2})
        await CoreSuite.send(self.bus, *[encode(chain(key, 1)[0]) for key in KEYS])

    def applied(self, *keys: str) -> None:
        """Whoever reads has applied the events of these."""
        for key in keys:
            stream = streams.place(streams.fresh(key), PLACE[0], 1, "its hash")
            self.store.apply({(streams.COLLECTION, key): {**stream, "version": 1}})

    async def taken_up(self, *types: str, at: int, top: int) -> list[tuple[int, int, list[int]]]:
        """A release of these types takes it up; what of LENT was missed by then, as offsets."""
        handled = Handled(self.store, frozenset(types))
        await handled.take_up(self.bus, PLACE, at, top)
        found = await handled.missed(LENT, [PLACE])
        return [
            (one.start, one.end, [offset for offset in range(9) if one.has(offset)])
            for stretches in found.values()
            for one in stretches
        ]


async def started() -> Group:
    group = Group()
    await group.start()
    return group


async def test_what_is_applied_past_the_place_is_missed_by_a_handler_that_is_new() -> None:
    group = await started()
    await group.taken_up(at=0, top=0)
    group.applied("ana", "lia", "pia")
    missed = await group.taken_up(LENT, at=1, top=5)
    assert missed == [(0, 1, [0]), (1, 5, [2, 4])]


async def test_what_is_applied_past_the_place_had_the_handler_that_is_gone() -> None:
    group = await started()
    await group.taken_up(LENT, at=0, top=0)
    group.applied("ana", "lia", "pia")
    assert await group.taken_up(at=1, top=5) == [(1, 5, [1, 3])]
    group.applied(*KEYS)
    assert await group.taken_up(LENT, at=5, top=5) == [(5, 5, []), (1, 5, [1, 3])]


async def test_what_the_release_without_the_handler_never_reached_is_not_missed() -> None:
    group = await started()
    await group.taken_up(LENT, at=0, top=0)
    group.applied("lia", "pia")
    assert await group.taken_up(at=0, top=5) == [(0, 5, [0, 1, 3])]
    group.applied("ana")
    assert await group.taken_up(LENT, at=1, top=5) == [(5, 5, []), (0, 5, [0])]


async def test_what_had_its_handler_before_the_stretch_began_is_not_missed() -> None:
    group = await started()
    await group.taken_up(LENT, at=0, top=0)
    group.applied("ana", "gil")
    await group.taken_up(at=2, top=2)
    group.applied("lia", "pia")
    assert await group.taken_up(LENT, at=0, top=5) == [(2, 2, []), (2, 5, [2, 4])]


async def test_a_topic_that_ends_before_what_was_written_is_read_to_its_end() -> None:
    group = await started()
    await group.taken_up(at=0, top=0)
    group.applied("noa")
    assert await group.taken_up(LENT, at=2, top=70) == [(0, 2, [0, 1]), (2, 5, [3])]


async def test_a_topic_that_was_made_anew_is_not_read_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.chassis.handled.MOST_BEYOND", 2)
    group = await started()
    await group.taken_up(LENT, at=0, top=0)
    group.applied("gil", "pia")
    assert await group.taken_up(at=1, top=5) == [(1, 3, [2])]
    assert await group.taken_up(LENT, at=5, top=5) == [(3, 5, [3, 4]), (1, 3, [2])]


async def test_a_release_that_handles_the_same_reads_nothing_and_changes_nothing() -> None:
    group = await started()
    await group.taken_up(LENT, at=0, top=0)
    group.applied(*KEYS)
    group.bus.faults.fail_next("scan", AssertionError)
    assert await group.taken_up(LENT, at=1, top=5) == []
