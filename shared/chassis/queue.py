"""Intents that wait for the writer, and how many of them it takes at once."""

from collections import deque
from collections.abc import Iterable, Sequence

from shared.chassis.work import Arrival, Work

MOST_INTENTS, FEWEST_INTENTS = 500, 2


class Queue:
    """Commands and arrivals, each in their order; neither kind starves the other.

    A batch that took too long is followed by one of a quarter of its size. The size doubles again
    after a full batch that was quick: after any other it would go back to what took too long.
    """

    def __init__(self) -> None:
        self._commands: deque[Work] = deque()
        self._arrivals: deque[Work] = deque()
        self.most = MOST_INTENTS

    def __len__(self) -> int:
        return len(self._commands) + len(self._arrivals)

    def works(self) -> list[Work]:
        """All that wait."""
        return [*self._commands, *self._arrivals]

    def add(self, works: Iterable[Work]) -> None:
        """Let these wait, in order."""
        for work in works:
            (self._arrivals if isinstance(work, Arrival) else self._commands).append(work)

    def remove(self, works: Iterable[Work]) -> list[Work]:
        """Let these wait no more; those that did."""
        gone = set(works)
        waited = [work for work in self.works() if work in gone]
        self._commands = deque(work for work in self._commands if work not in gone)
        self._arrivals = deque(work for work in self._arrivals if work not in gone)
        return waited

    def take(self) -> list[Work]:
        """The next batch. Of each kind that waits there is a quarter."""
        quarter = max(self.most // 4, 1)
        arrivals = min(len(self._arrivals), self.most - min(len(self._commands), quarter))
        commands = min(len(self._commands), self.most - arrivals)
        works = [self._commands.popleft() for _ in range(commands)]
        return works + [self._arrivals.popleft() for _ in range(arrivals)]

    def put_back(self, works: Sequence[Work]) -> None:
        """Let these wait again, before all others."""
        for work in reversed(works):
            (self._arrivals if isinstance(work, Arrival) else self._commands).appendleft(work)

    def was_quick(self, works: list[Work]) -> None:
        """This batch took little of the time that it is given."""
        if len(works) >= self.most:
            self.most = min(self.most * 2, MOST_INTENTS)

    def took_too_long(self, works: list[Work]) -> None:
        """This batch was given up."""
        self.most = max(len(works) // 4, FEWEST_INTENTS)
