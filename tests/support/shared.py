"""Stores and a bus that outlive the processes that use them, one store a generation of views."""

from shared.chassis.memory.bus import MemoryBus
from shared.chassis.ports import Bus, Store
from shared.chassis.service import Connect
from tests.support.callers import TickingStore


class SharedStore(TickingStore):
    """Outlives the processes that use it."""

    async def close(self) -> None:
        """Nobody else may lose it."""


class SharedBus(MemoryBus):
    """Outlives the processes that use it."""

    async def close(self) -> None:
        """Nobody else may lose it."""


def generations(bus: Bus) -> Connect:
    """A store of its own for each generation, all on this bus."""
    stores: dict[int, SharedStore] = {}

    def connect(generation: int) -> tuple[Store, Bus]:
        return stores.setdefault(generation, SharedStore()), bus

    return connect
