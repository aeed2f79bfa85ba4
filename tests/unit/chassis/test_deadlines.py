"""A deadline whose tick fails says why in the log, each time."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.chassis.deadlines import Deadlines
from shared.chassis.memory import MemoryBus
from shared.chassis.ports import Put
from shared.model import Aggregate, Command, Context, Event, Refused
from tests.support import mini
from tests.support.app import running
from tests.support.logs import Line, captured
from tests.unit.chassis.gone import Gone
from tests.unit.chassis.test_core import Ticking


@pytest.fixture
def lines() -> Iterator[Callable[[], list[Line]]]:
    with captured("mini") as written:
        yield written


def ring(alarm: mini.Alarm | None, _: Command, __: Context) -> list[Event]:
    """One alarm has a bug, one is refused, and one has nothing to say."""
    assert alarm is not None
    if alarm.id == "bug":
        raise ZeroDivisionError(f"about {alarm.id}")
    if alarm.id == "refused":
        raise Refused("too-many-books")
    return []


ALARMS = Aggregate("alarms", mini.Alarm, ring, lambda alarm, _: alarm, lambda alarm: alarm.at)


async def test_a_tick_that_fails_is_logged_with_its_code_and_place(
    tmp_path: Path, lines: Callable[[], list[Line]]
) -> None:
    store = Ticking()
    async with running(mini.SHELF, tmp_path / "keys", store, MemoryBus()) as shelf:
        at = shelf.runtime.clock.now()
        async with store.transaction() as transaction:
            for name in ("bug", "refused", "quiet"):
                document = {"_id": name, "version": 1, "due": at, "at": at}
                await transaction.write([Put("alarms", document)])
            await transaction.commit()
        due = Deadlines(store, shelf.runtime.clock, shelf.runtime.writer, [ALARMS])
        assert await due.look(ALARMS) == 3
    failed = {line["code"]: line for line in lines() if line["message"] == "deadline.failed"}
    assert sorted(failed) == ["ZeroDivisionError", "too-many-books"]
    bug = failed["ZeroDivisionError"]
    assert (bug["aggregate"], bug["level"]) == ("alarms", "warning")
    assert bug["where"].startswith("tests.unit.chassis.test_deadlines.ring:")
    assert bug["causation"].startswith("tick/alarms/bug/")
    assert "about bug" not in str(bug)


async def test_what_was_claimed_before_the_store_went_is_ticked_and_does_not_wait_for_its_claim(
    tmp_path: Path,
) -> None:
    store = Gone("alarms")
    async with running(mini.SHELF, tmp_path / "keys", store, MemoryBus()) as shelf:
        at = shelf.runtime.clock.now()
        for name in "abc":
            store.apply({("alarms", name): {"_id": name, "version": 1, "due": at, "at": at}})
        due = Deadlines(store, shelf.runtime.clock, shelf.runtime.writer, [ALARMS])
        assert await due.look(ALARMS) == 2
