"""Between a process and a server: every call takes time, and may fail, its effect made or not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from types import TracebackType

from tests.faults.sim.world import World

Error = type[Exception]


class Turn:
    """`asyncio.sleep(0)` for less: the others first."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, None]:
        yield


TURN = Turn()
OUT, SLOW = "out", "slow"


@dataclass(frozen=True)
class Trouble:
    """With this chance a call of an operation raises `error`, before or after its effect."""

    kind: str
    error: Error
    chance: float
    after: bool = False


@dataclass
class Wire:
    """The calls to one server. Has the face of `shared.chassis.memory.faults.Faults`."""

    world: World
    outage: Error
    is_out: bool = False
    slowness: float = 0.0
    troubles: dict[str, list[Trouble]] = field(default_factory=dict)
    struck: Counter[object] = field(default_factory=Counter)
    """Calls that were hit, by what hit them: `OUT`, `SLOW` or a `Trouble`."""

    def around(self, operation: str) -> Call:
        """What the double wraps each operation in."""
        return Call(self, operation)

    async def travel(self) -> None:
        """The way there, or back."""
        dice = self.world.dice.random()
        if dice < self.slowness:
            self.struck[SLOW] += 1
            self.world.happened("slow call")
            await self.world.loop.sleep(self.world.dice.uniform(0.3, 4.0))
        elif dice < 0.7:
            await TURN
        else:
            await self.world.loop.sleep(dice * 0.02)

    def note_outage(self) -> None:
        """A call found nobody."""
        self.struck[OUT] += 1
        self.world.happened(self.outage.__name__)

    def strike(self, operation: str, *, after: bool) -> None:
        """Raise what is planned for this operation, if the dice say so."""
        for trouble in self.troubles.get(operation, ()):
            if trouble.after == after and self.world.dice.random() < trouble.chance:
                self.struck[trouble] += 1
                self.world.happened(trouble.kind)
                raise trouble.error(f"{operation}: {trouble.kind}")

    def heal(self) -> None:
        """All calls answer again."""
        self.is_out, self.slowness = False, 0.0
        self.troubles.clear()


_THERE_AND_BACK = {"commit", "send"}


class Call:
    """One call on its way."""

    __slots__ = ("_operation", "_wire")

    def __init__(self, wire: Wire, operation: str) -> None:
        self._wire, self._operation = wire, operation

    async def __aenter__(self) -> None:
        wire = self._wire
        await wire.travel()
        if wire.is_out:
            wire.note_outage()
            raise wire.outage(f"{self._operation}: nothing answers")
        if wire.troubles:
            wire.strike(self._operation, after=False)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            wire = self._wire
            if self._operation in _THERE_AND_BACK:
                await wire.travel()
            if wire.troubles:
                wire.strike(self._operation, after=True)
