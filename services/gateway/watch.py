"""Which keys keep a build from its end, with traffic going on.

A key that is behind means nothing by itself: the live generation may just have been faster. But
one that stands where it stood a while ago, though all that there was then has been read, lacks an
event that does not come, or has one that cannot be applied.
"""

from collections.abc import Mapping
from time import monotonic

from services.gateway.compare import Alive, Late, behind
from shared.chassis.control import CONTROL
from shared.chassis.ports import Place, Store, place_id
from shared.chassis.runtime import Runtime

_MOST = 5000
"""Keys that are kept in mind, the first by id."""


class Watch:
    """Looks at every key once in so many seconds, whatever moves meanwhile."""

    def __init__(self, live: Store, new: Runtime, alive: Alive, seconds: float) -> None:
        self._live, self._new, self._alive, self._seconds = live, new, alive, seconds
        self._due = 0.0
        self._late: set[tuple[str, str, int]] = set()
        self._read: dict[Place, int] = {}
        self._ends: dict[Place, int] = {}

    async def stuck(self) -> list[Late]:
        """The keys that stand where they stood at the last look. Raises `BusError`."""
        if monotonic() < self._due:
            return []
        read = await self._offsets()
        late: list[Late] = []
        if not self._reads_on(read):
            late = await behind(self._live, self._new.store, self._alive, _MOST)
        found = [one for one in late if one.place in self._late]
        self._late, self._due = set(), monotonic() + self._seconds
        self._ends = await self._all_ends()  # while Kafka is away everything stands still
        self._late, self._read = {one.place for one in late}, read
        return found

    def _reads_on(self, read: Mapping[Place, int]) -> bool:
        """Whether a partition is not yet where it ended then, and has moved: its keys will too."""
        return any(
            read.get(place, 0) < end and read.get(place, 0) != self._read.get(place, 0)
            for place, end in self._ends.items()
        )

    async def _offsets(self) -> dict[Place, int]:
        ids = {place_id(place): place for place in self._ends}
        there = await self._new.store.some("offsets", list(ids))
        return {ids[one]: int(document["next"]) for one, document in there.items()}

    async def _all_ends(self) -> dict[Place, int]:
        topics = [topic for topic in self._new.intake.topics if topic != CONTROL]
        found = [await self._new.bus.ends(topic) for topic in topics]
        return {place: end for ends in found for place, end in ends.items()}
