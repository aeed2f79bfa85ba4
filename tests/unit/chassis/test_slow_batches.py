"""A batch that takes long: what it needs is asked for at once, and it is made smaller."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from shared.chassis import writer
from shared.chassis.envelope import encode
from shared.chassis.memory import MemoryBus
from shared.chassis.memory.transaction import MemoryTransaction
from shared.chassis.ports import Loaded
from shared.chassis.service import Service
from shared.model import Command, Do, Frozen, Handlers, Step, view
from shared.types import Count, Id
from tests.integration.core_suite import CoreSuite, chain
from tests.support import mini
from tests.support.app import running
from tests.support.wait import until
from tests.unit.chassis.test_core import Ticking


class Line(Frozen):
    """One line of a diary, a document of its own."""

    id: Id
    number: Count


class Write(Command):
    line: Line


LINES = view("lines", Line, lambda _, command: command.line)
diary = Handlers()


@diary.on(mini.BookLent)
def write(event: mini.BookLent) -> list[Step]:
    line = Line(id=f"{event.reader_id}-{event.number}", number=event.number)
    return [Do(LINES, line.id, Write(line=line))]


DIARY = Service("reader", mini.READER.settings, [], diary, [LINES])


class Slow(MemoryTransaction):
    """Loading takes time for each document, as on a machine that has too much to do."""

    async def load(self, wanted: Mapping[str, Sequence[str]]) -> Loaded:
        await asyncio.sleep(0.005 * sum(map(len, wanted.values())))
        return await super().load(wanted)


class SlowStore(Ticking):
    transactions = Slow


async def lines(store: Ticking) -> int:
    return len(store.all("lines"))


async def test_a_key_with_many_waiting_events_takes_a_few_loads_when_its_gap_closes(
    tmp_path: Path,
) -> None:
    bus, store = MemoryBus(), Ticking()
    first, *later = map(encode, chain("ana", *range(1, 101)))
    async with running(DIARY, tmp_path, store, bus) as reader:
        await CoreSuite.send(bus, *later)
        await until(
            lambda: reader.json("/operations/reader"), lambda seen: seen["backlog"]["gap"] == 1
        )
        before = store.faults.calls["load"]
        await CoreSuite.send(bus, first)
        await until(lambda: lines(store), lambda count: count == 100)
        assert store.faults.calls["load"] - before < 10


async def test_what_cannot_be_done_in_time_is_done_in_smaller_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "PATIENCE", 0.5)
    bus, store = MemoryBus(), SlowStore()
    keys = [f"reader-{number}" for number in range(300)]
    async with running(DIARY, tmp_path, store, bus):
        await CoreSuite.send(bus, *[encode(one) for key in keys for one in chain(key, 1)])
        await until(lambda: lines(store), lambda count: count == 300, within=30)
