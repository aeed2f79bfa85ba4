"""What goes wrong on purpose: the next call of an operation fails, before or after its effect."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

Failure = Exception | type[Exception]
Action = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class _Planned:
    failure: Failure | None
    action: Action | None
    after: bool


class Faults:
    """The script of a double: by operation, what its next calls run into.

    `faults.fail_next("commit", OutcomeUnknown, after=True)`: the next commit happens, and its
    caller does not learn of it. `faults.meanwhile("commit", rival)`: `rival` runs first.
    """

    def __init__(self, outage: type[Exception]) -> None:
        self._outage = outage
        self._planned: dict[str, deque[_Planned]] = {}
        self.calls: Counter[str] = Counter()
        self.is_out = False

    def fail_next(
        self, operation: str, failure: Failure, *, after: bool = False, times: int = 1
    ) -> None:
        """The next `times` calls raise this, before or after they took effect."""
        queue = self._planned.setdefault(operation, deque())
        queue.extend(_Planned(failure, None, after) for _ in range(times))

    def meanwhile(self, operation: str, action: Action, *, after: bool = False) -> None:
        """Run this before (or after) the next call: what another process does in between."""
        self._planned.setdefault(operation, deque()).append(_Planned(None, action, after))

    def go_out(self) -> None:
        """From now on nothing answers."""
        self.is_out = True

    def come_back(self) -> None:
        """Everything answers again, with what it had."""
        self.is_out = False

    @asynccontextmanager
    async def around(self, operation: str) -> AsyncIterator[None]:
        """What the double wraps each operation in."""
        self.calls[operation] += 1
        await asyncio.sleep(0)  # as on a wire, others get their turn
        queue = self._planned.get(operation)
        planned = queue.popleft() if queue else None
        if planned is not None and not planned.after:
            await _happen(planned)
        if self.is_out:
            raise self._outage(f"{operation}: nothing answers")
        yield
        if planned is not None and planned.after:
            await _happen(planned)


async def _happen(planned: _Planned) -> None:
    if planned.action is not None:
        await planned.action()
    if planned.failure is not None:
        raise planned.failure
