"""An event that takes what a unique index has given away fails alone, as in its handler."""

from pathlib import Path

import pytest

from shared.chassis import streams
from shared.chassis.contention import without_culprits
from shared.chassis.envelope import encode
from shared.chassis.memory import MemoryBus
from shared.chassis.mending import Drain
from shared.chassis.ports import Index, UniqueViolated
from shared.chassis.service import Service
from shared.chassis.work import Work
from shared.model import Aggregate, Command, Context, Do, Event, Frozen, Handlers, Step
from shared.types import Count, Id
from tests.integration.core_suite import CoreSuite, chain
from tests.support import mini
from tests.support.app import running
from tests.support.spec import NOON
from tests.support.wait import until
from tests.unit.chassis.test_core import Ticking


class Seat(Frozen):
    """Whose number nobody else has."""

    id: Id
    number: Count


class Sit(Command):
    seat: Seat


class Sat(Event):
    seat: Seat


SEATS = Aggregate(
    "seats",
    Seat,
    lambda _seat, command, _now: [Sat(seat=command.seat)],
    lambda _seat, event: event.seat,
    unique={"number": "number-taken"},
)


def seats(*may_refuse: str) -> Service:
    """A service that gives every reader a seat, by the number of her loan."""
    handlers = Handlers()

    @handlers.on(mini.BookLent, may_refuse=may_refuse)
    def sit(event: mini.BookLent) -> list[Step]:
        seat = Seat(id=event.reader_id, number=event.number)
        return [Do(SEATS, seat.id, Sit(seat=seat))]

    index = Index(SEATS.name, "number", unique=True)
    return Service("reader", mini.READER.settings, [], handlers, [SEATS], [index])


@pytest.mark.parametrize("foreseen", [False, True])
async def test_it_parks_its_key_or_is_counted_and_others_go_on(
    tmp_path: Path, *, foreseen: bool
) -> None:
    store, bus = Ticking(), MemoryBus()
    service = seats("number-taken") if foreseen else seats()
    (ana,), (bea, later) = chain("ana", 1), chain("bea", 1, 2)
    async with running(service, tmp_path, store, bus):

        async def sat() -> list[tuple[str, int]]:
            return sorted((one["_id"], one["number"]) for one in store.all("seats"))

        await CoreSuite.send(bus, encode(ana))
        await until(sat, lambda seen: seen == [("ana", 1)])
        await CoreSuite.send(bus, encode(bea))

        async def parked() -> list[tuple[str, str]]:
            return [(one["key"], one["code"]) for one in store.all("parked")]

        async def passed() -> int:
            stream = await store.get(streams.COLLECTION, "bea") or streams.fresh("bea")
            return streams.applied(stream, "telar.shelf")[0]

        if foreseen:
            await until(passed)
        else:
            await until(parked, lambda seen: seen == [("bea", "number-taken")])
        await CoreSuite.send(bus, *map(encode, [later, *chain("eva", 3)]))
        bea_sits = [("bea", 2)] if foreseen else []
        await until(sat, lambda seen: seen == [("ana", 1), *bea_sits, ("eva", 3)])
        assert len(await parked()) == (0 if foreseen else 1)


async def test_where_nobody_is_known_to_have_named_it_each_is_tried_alone() -> None:
    now = Context(at=NOON, actor="op", cause="c", correlation="c")
    works: list[Work] = [Drain(now, "telar.shelf", key) for key in "ab"]
    violated = UniqueViolated("seats", "somebody", "number")
    assert without_culprits(works, violated) == [[works[0]], [works[1]]]
    assert without_culprits(works[:1], violated) == []
    assert works[0].future.exception() is violated
    assert not works[1].future.done()
