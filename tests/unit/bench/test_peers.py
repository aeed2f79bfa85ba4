"""The peers are written as well as what they are compared with."""

import asyncio
from collections.abc import Sequence
from inspect import iscoroutinefunction
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from fastapi.routing import APIRoute

from bench.feed import Load, records
from bench.peers import by_hand, fast_api
from bench.peers.ledger import Arrived


def test_no_request_of_the_fastapi_peer_is_handed_to_a_thread() -> None:
    routes = [route for route in fast_api.app.routes if isinstance(route, APIRoute)]
    called = [
        one.call for route in routes for one in (route.dependant, *route.dependant.dependencies)
    ]
    assert len(called) == len(routes) + 1
    assert [call for call in called if not iscoroutinefunction(call)] == []


PLACE = TopicPartition("telar.source", 0)


class Ended(Exception):
    """There is nothing more to read."""


class Played:
    """A partition with a record a poll, a ledger and a relay: what happens, in order."""

    def __init__(self, orders: int) -> None:
        self.happened = list[str]()
        self._records = enumerate(records(Load(orders, 1)))

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        number, one = next(self._records, (-1, None))
        if one is None:
            raise Ended
        self.happened.append(f"{number + 1} read")
        came = SimpleNamespace(offset=number, key=one.key, value=one.value, headers=one.headers)
        return {PLACE: [came]}

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.happened.append(f"{offsets[PLACE]} noted")

    async def apply(self, arrived: Sequence[Arrived]) -> int:
        assert all(one.validated for one in arrived)
        await asyncio.sleep(0)
        return arrived[0].sequence

    def offer(self, committed: int) -> None:
        self.happened.append(f"{committed} applied")


async def test_by_hand_reads_while_it_commits_and_notes_only_what_is_applied() -> None:
    played = Played(3)
    with pytest.raises(Ended):
        await by_hand.work(*[cast(Any, played)] * 3, note_every=-1)
    first, then = ["1 read", "2 read", "1 applied", "1 noted"], ["3 read", "2 applied", "2 noted"]
    assert played.happened[:7] == [*first, *then]
