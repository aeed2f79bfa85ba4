"""How far a consumer has read each partition, and how far of that is written."""

import asyncio
from dataclasses import dataclass, field

from shared.chassis.ports import Place


@dataclass
class Reading:
    """What one consumer has read, poll after poll: what of each partition is not yet written."""

    pending: dict[Place, set[int]] = field(default_factory=dict)
    last: dict[Place, int] = field(default_factory=dict)
    top: dict[Place, int] = field(default_factory=dict)
    """Past the last record that is written, by whomever: one before it may still wait."""
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    """Asking for it costs as much as making a future: Python asks the kernel who it is."""
    is_broken: bool = False
    """One of these could not be written: what comes after it is read again, and so is it."""

    def add(self, place: Place, offset: int) -> None:
        """One more to be written."""
        self.pending.setdefault(place, set()).add(offset)
        self.last[place] = offset

    def next_offset(self, place: Place, done: set[int]) -> int:
        """Where to go on once `done` is written too."""
        return min(self.pending[place] - done, default=self.last[place] + 1)

    def top_with(self, place: Place, done: set[int]) -> int:
        """Past the last one once `done` is written too."""
        return max(self.top.get(place, 0), max(done) + 1)

    def forget(self, place: Place, written: set[int]) -> None:
        """These are written."""
        self.pending[place] -= written
        self.top[place] = self.top_with(place, written)
