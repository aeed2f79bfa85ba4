"""In what two generations of the views differ, while both go on.

What happened never changes, so one that is missing differs once the other generation has
passed its number. The rest is compared at equal positions: what moved meanwhile is looked at again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from services.gateway.domain.counters import COUNTERS
from services.gateway.domain.history import HISTORY
from services.gateway.domain.people import PEOPLE, Counts, add
from services.gateway.domain.timeline import TIMELINE
from services.gateway.store import counters
from shared.chassis import parking
from shared.chassis.envelope import GENESIS
from shared.chassis.ports import Document, Store
from shared.chassis.streams import fresh

PAUSE = 0.2
TRIES = 15
SHOWN = 100
_PAGE = 500
AT_MOST = 20
_STREAMS, _WAITING = "streams", ", waiting"

Difference = dict[str, str]
"""collection, id, and what differs."""

Alive = Callable[[], Awaitable[None]]


class Comparison:
    """Walks the views of the live generation and of a new one side by side."""

    def __init__(self, live: Store, new: Store, alive: Alive) -> None:
        self.live, self.new, self._alive = live, new, alive
        self.compared = 0
        self.differences: list[Difference] = []
        self.unsettled: list[str] = []

    async def run(self) -> None:
        """Compare everything."""
        await self._happenings(TIMELINE.name, "person_id")
        await self._happenings(HISTORY.name, "thing_id")
        async for doc_id, live, new in self._side_by_side(PEOPLE.name):
            if _fields(live) != _fields(new):
                await self._person(doc_id)
        await self._counters()

    def outcome(self) -> Document:
        """What came of it."""
        return {
            "compared": self.compared,
            "differences": self.differences,
            "unsettled": self.unsettled,
        }

    def _differs(self, collection: str, doc_id: str, live: Any, new: Any) -> None:
        one = {"collection": collection, "id": doc_id, "what": _what(live, new)}
        _keep(self.differences, one)

    async def _side_by_side(
        self, collection: str
    ) -> AsyncIterator[tuple[str, Document | None, Document | None]]:
        """Both documents of every id that either has, in the order of ids."""
        left, right = _walk(self.live, collection), _walk(self.new, collection)
        live, new = await anext(left, None), await anext(right, None)
        while live or new:
            doc_id = min(one["_id"] for one in (live, new) if one)
            ours = live if live and live["_id"] == doc_id else None
            theirs = new if new and new["_id"] == doc_id else None
            self.compared += 1
            if self.compared % _PAGE == 0:
                await self._alive()
            yield doc_id, ours, theirs
            live = await anext(left, None) if ours else live
            new = await anext(right, None) if theirs else new

    async def _happenings(self, name: str, keyed: str) -> None:
        async for doc_id, live, new in self._side_by_side(name):
            if not (live and new):
                await self._lone(name, keyed, live, new)
            elif _fields(live) != _fields(new):
                self._differs(name, doc_id, live, new)

    async def _lone(
        self, name: str, keyed: str, live: Document | None, new: Document | None
    ) -> None:
        """One has it: they differ if the other was there too. Both are written together."""
        there, lacking = live or new, self.new if live else self.live
        assert there is not None
        doc_id = there["_id"]
        stream = await lacking.get(_STREAMS, there[keyed])
        position = stream["in"].get(there["service"], (0,))[0] if stream else 0
        if position >= there["sequence"] and await lacking.get(name, doc_id) is None:
            self._differs(name, doc_id, live, new)

    async def _person(self, doc_id: str) -> None:
        await self._settled(
            f"{PEOPLE.name}/{doc_id}",
            lambda store: self._of_person(store, doc_id),
            lambda live, new: self._differs(PEOPLE.name, doc_id, live, new),
        )

    async def _of_person(self, store: Store, doc_id: str) -> tuple[Any, Any]:
        before = await store.get(_STREAMS, doc_id)
        found = await store.get(PEOPLE.name, doc_id)
        after = await store.get(_STREAMS, doc_id)
        positions = (before or {}).get("in"), (after or {}).get("in")
        return (positions[0] if positions[0] == positions[1] else None), _fields(found)

    async def _counters(self) -> None:
        """By state: which part of it a fact was counted under depends on how it came in."""

        def differ(live: Any, new: Any) -> None:
            for state in sorted(live.keys() | new.keys()):
                if live.get(state) != new.get(state):
                    self._differs(COUNTERS.name, state, live.get(state), new.get(state))

        await self._settled(COUNTERS.name, _sums, differ)

    async def _settled(
        self,
        name: str,
        read: Callable[[Store], Awaitable[tuple[Any, Any]]],
        differ: Callable[[Any, Any], None],
    ) -> None:
        """Compare what both have at the same positions; note that it was never still."""
        for _ in range(TRIES):
            at_live, live = await read(self.live)
            at_new, new = await read(self.new)
            again, _ = await read(self.live)
            if at_live is not None and at_live == at_new == again:
                if live != new:
                    differ(live, new)
                return
            await self._alive()
            await asyncio.sleep(PAUSE)
        _keep(self.unsettled, name)


def _keep(first: list[Any], one: Any) -> None:
    """The first of them: a release that shows each fact otherwise makes all differ."""
    if len(first) < SHOWN:
        first.append(one)


async def _sums(store: Store) -> tuple[Any, dict[str, Any]]:
    """The positions, if they stood still meanwhile, and what was counted in each state.

    Not since when: where a fact was counted first depends on which topic was read first.
    """
    _, before = await store.totals()
    counts: dict[str, Counts] = {}
    async for part in counters(store):
        counts[part.state] = add(counts.get(part.state, {}), part.counts)
    _, after = await store.totals()
    some = {state: {name: n for name, n in of.items() if n} for state, of in counts.items()}
    return (before if before == after else None), {state: of for state, of in some.items() if of}


class Late(NamedTuple):
    """A key that is not yet here what it is in the live generation, and in what."""

    key: str
    topic: str
    applied: int
    wanted: int
    why: str = ""

    @property
    def place(self) -> tuple[str, str, int]:
        """Where it stands, whatever is wanted of it meanwhile."""
        return self.key, self.topic, self.applied

    def shown(self) -> Difference:
        """As the build names it."""
        what = f"{self.topic} at {self.applied} of {self.wanted}{self.why}"
        return {"collection": _STREAMS, "id": self.key, "what": what}


async def behind(live: Store, new: Store, alive: Alive, most: int = AT_MOST) -> list[Late]:
    """Keys that would not be after a swap what they are now, the first of them by id.

    The live generation has applied more of them, or another branch of a fork; or they wait in the
    new one alone, for an order that was given to the live one.
    """
    found: list[Late] = []
    after: tuple[str, str] | None = None
    while page := await live.page(_STREAMS, {}, sort="_id", after=after, limit=_PAGE):
        after = page[-1]["_id"], page[-1]["_id"]
        there = await new.some(_STREAMS, [one["_id"] for one in page])
        await alive()
        late = [
            one
            for stream in page
            for one in _late(stream, there.get(stream["_id"]) or fresh(stream["_id"]))
        ]
        alike = await _waiting_in_both(live, new, [one for one in late if one.why == _WAITING])
        found += [one for one in late if one not in alike]
        if len(found) >= most:
            break
    return found[:most]


def _late(live: Document, new: Document) -> Iterator[Late]:
    """Where it is not the same, or waits in the new one, perhaps as in the live one."""
    for topic, (wanted, digest) in live["in"].items():
        applied, there = new["in"].get(topic, (0, GENESIS))
        if applied < wanted:
            yield Late(live["_id"], topic, applied, wanted)
        elif applied == wanted and there != digest:
            yield Late(live["_id"], topic, applied, wanted, ", another branch")
        elif applied == wanted and topic in new["parked"]:
            yield Late(live["_id"], topic, applied, wanted, _WAITING)


async def _waiting_in_both(live: Store, new: Store, waiting: Sequence[Late]) -> set[Late]:
    """Those that wait no more in the new one, or in both, and for somebody's decision in both."""
    if not waiting:
        return set()
    ids = {one: parking.parked_ref(one.topic, one.key).id for one in waiting}
    here, there = [await one.some(parking.COLLECTION, [*ids.values()]) for one in (live, new)]

    def is_alike(parked: str) -> bool:
        if parked not in there:
            return True
        forked = there[parked]["reason"] == "fork"
        return parked in here and (not forked or here[parked]["reason"] == "fork")

    return {one for one, parked in ids.items() if is_alike(parked)}


async def _walk(store: Store, collection: str) -> AsyncIterator[Document]:
    after: tuple[str, str] | None = None
    while page := await store.page(collection, {}, sort="_id", after=after, limit=_PAGE):
        after = page[-1]["_id"], page[-1]["_id"]
        for document in page:
            yield document


def _fields(document: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What a view says; how often it was written says nothing."""
    if document is None:
        return None
    return {name: value for name, value in document.items() if name != "version"}


def _what(live: Any, new: Any) -> str:
    if live is None or new is None:
        return "missing in the live view" if live is None else "only in the live view"
    names = sorted(name for name in live.keys() | new.keys() if live.get(name) != new.get(name))
    return ", ".join(name for name in names if name != "version")
