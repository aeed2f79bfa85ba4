"""A store and a bus without servers, for unit tests; held to the same suites as the real ones."""

from shared.chassis.memory.bus import MemoryBus
from shared.chassis.memory.faults import Faults
from shared.chassis.memory.store import MemoryStore

__all__ = ["Faults", "MemoryBus", "MemoryStore"]
