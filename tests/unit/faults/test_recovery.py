"""I13, the platform recovers by itself in time: a run in which it does not says so."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.faults.checker.state import Expected
from tests.faults.runner import _within
from tests.faults.trial import Tally, Trial
from tests.support.wait import until


class Deaf:
    """A client whose every command is told the same; a cluster that is ready; nothing in it."""

    def __init__(self, outcome: str, left: dict[str, int]) -> None:
        self.outcome, self.left = outcome, left

    async def command(self, *_: object, **__: object) -> tuple[Any, None]:
        await asyncio.sleep(0)
        return self, None

    async def resolve(self, _share: float) -> int:
        return 0

    def urls_of(self, _name: str) -> list[str]:
        return ["http://nowhere"]

    def wait_ready(self) -> None:
        """It is."""

    def behind(self) -> dict[str, int]:
        return self.left

    def waiting(self) -> dict[str, int]:
        return {}

    def there(self) -> set[str]:
        return {"gateway"}

    def all(self, *_: object) -> list[Any]:
        return []

    def has(self, *_: object) -> bool:
        return not self.left


class Tried(Trial):
    """A trial without processes."""

    def __init__(self, outcome: str, left: dict[str, int]) -> None:
        stand_in = cast("Any", Deaf(outcome, left))
        self.tally, self.expected = Tally(), Expected()
        self.client = self.cluster = self.outside = stand_in


class Looked(Tried):
    """A trial under load, in which a look at money and places goes like this."""

    def __init__(self, look: Callable[[], list[str]]) -> None:
        super().__init__("ok", {})
        self.snapshots, self.looks, self.look = 0, 0, look

    def _look(self) -> list[str]:
        self.looks += 1
        return self.look()


Act = Callable[[Trial], Awaitable[object]]
ACTS: dict[str, Act] = {
    "answers": lambda trial: trial.answers("grants", 0.0, within=0.05),
    "takes effect": lambda trial: trial.takes_effect(0.0, within=0.05),
    "settles": lambda trial: trial.settle(within=0.05),
}


@pytest.mark.parametrize("act", ACTS)
async def test_what_recovers_is_not_blamed(act: str) -> None:
    trial = Tried("ok", {})
    await ACTS[act](trial)
    assert trial.tally.wrong == []


@pytest.mark.parametrize("act", ACTS)
async def test_what_does_not_recover_in_time_is_found(act: str) -> None:
    trial = Tried("unknown", {"training>trade": 1})
    await ACTS[act](trial)
    assert [one.partition(" ")[0] for one in trial.tally.wrong] == ["I13"]


async def test_a_key_that_waits_excuses_no_reader_that_is_behind() -> None:
    trial = Tried("ok", {"training>trade": 1})
    trial.expected.parked = {("trade", "training/poison-1")}
    await trial.settle(within=0.05)
    assert [one.partition(" ")[0] for one in trial.tally.wrong] == ["I13"]


async def test_a_command_without_effect_elsewhere_is_found() -> None:
    trial = Tried("ok", {"training>trade": 1})
    await trial.takes_effect(0.0, within=0.05)
    assert [one.partition(" ")[0] for one in trial.tally.wrong] == ["I13"]


async def test_a_scenario_that_does_not_end_in_time_is_found() -> None:
    trial = Tried("ok", {})
    await _within(trial, asyncio.sleep(10), 0.01)
    assert [one.partition(" ")[0] for one in trial.tally.wrong] == ["I13"]


def test_a_fault_that_was_not_seen_to_happen_is_wrong() -> None:
    tally = Tally()
    tally.see("kill grants", happened=True)
    assert tally.wrong == []
    tally.see("kill grants", happened=False)
    assert (tally.made["kill grants"], tally.observed["kill grants"], len(tally.wrong)) == (2, 1, 1)


def _away() -> list[str]:
    raise OSError("away")


@pytest.mark.parametrize(
    ("look", "wrong"),
    [
        (list[str], []),
        (lambda: ["I3 a pool"], ["I3 a pool"]),
        (_away, ["I3 nobody looked at money and places: [\"OSError('away')\"]"]),
    ],
    ids=["nothing wrong", "something wrong", "nothing read"],
)
async def test_a_load_during_which_nobody_could_look_is_found(
    look: Callable[[], list[str]], wrong: list[str]
) -> None:
    trial = Looked(look)
    async with trial.load(workers=0):
        await until(lambda: asyncio.sleep(0, trial.looks), lambda looks: looks > 1)
    assert set(trial.tally.wrong) == set(wrong)


async def test_a_load_that_is_told_to_stop_waits_for_no_command() -> None:
    trial = Looked(list[str])
    never = asyncio.Event()
    trial.programme = cast("Any", SimpleNamespace(step=never.wait))

    async def loaded() -> None:
        async with trial.load(workers=2):
            await never.wait()

    running = asyncio.create_task(loaded())
    await until(lambda: asyncio.sleep(0, trial.looks))
    running.cancel()
    assert await asyncio.wait({running}, timeout=20) == ({running}, set())
