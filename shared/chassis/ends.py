"""Where the partitions of a topic ended, as Kafka acknowledged it: a later loss shows there.

A log only grows. If it ends before an end that was known, it was cut there; and if records were
put before an end that was known when they were sent, it was cut where they begin. Where that was
is kept, whatever comes behind it, until all that was lost is sent again.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple

from shared.chassis.ports import (
    Conflict,
    Document,
    Place,
    Put,
    Store,
    StoreError,
    place_id,
    place_of,
)

COLLECTION = "acknowledged"

_TRIES = 5
_MOST = 1000
"""Partitions of one topic."""

_Change = Callable[[Place, Document], Document]


class Cut(NamedTuple):
    """What lay from this offset on is lost; `seen` is another number each time that it is found."""

    at: int
    seen: int


class Ends:
    """The noted ends; every process of a service notes what it was told."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.known: Mapping[Place, int] = {}
        """How far partitions go at the least, as this process was told."""
        self._cuts: dict[Place, int] = {}
        """Found, and not yet kept."""

    async def learn(self) -> dict[Place, int]:
        """The noted offsets of the next record: what other processes were told is known too."""
        found = await self._all()
        self._know({place: one["next"] for place, one in found.items() if "cut" not in one})
        return {place: one["next"] for place, one in found.items()}

    async def acknowledged(self, sent: Mapping[Place, range], known: Mapping[Place, int]) -> None:
        """These records are there, sent when so much was known; where a log was cut is kept.

        If it cannot be kept now, it is with what is noted next, before that counts as sent.
        """
        cuts = {place: one.start for place, one in sent.items() if one.start < known.get(place, 0)}
        ends = {place: one.stop for place, one in sent.items()}
        self._found(cuts, ends)
        self._know(ends)
        if cuts:
            with suppress(StoreError):
                await self.note({})

    async def cuts(self, noted: Mapping[Place, int], ends: Mapping[Place, int]) -> dict[Place, Cut]:
        """What these partitions lost, which end there after so much was noted."""
        self._found({one: end for one, end in ends.items() if end < noted.get(one, 0)}, ends)
        self._know(ends)
        await self.note({})
        found = await self._all()
        return {place: Cut(*one["cut"]) for place, one in found.items() if "cut" in one}

    async def note(self, ends: Mapping[Place, int]) -> None:
        """Keep these where they are higher than what is noted, and where logs were cut."""
        cuts = self._cuts.copy()

        def noted(place: Place, was: Document) -> Document:
            now = {**was, "next": max(was["next"], ends.get(place, 0))}
            if (at := cuts.get(place)) is not None:
                now["cut"] = [min(at, was.get("cut", (at,))[0]), was["version"]]
            return now

        if places := ends.keys() | cuts.keys():
            await self._write(places, noted)
        self._cuts = {one: at for one, at in self._cuts.items() if cuts.get(one) != at}

    async def reset(self, ends: Mapping[Place, int], cuts: Mapping[Place, Cut]) -> None:
        """What these partitions lost is there again, unless they were cut once more meanwhile."""

        def whole(place: Place, was: Document) -> Document:
            if was.get("cut") != [*cuts[place]]:
                return was
            return {"_id": was["_id"], "version": was["version"], "next": ends[place]}

        await self._write(cuts, whole)

    def _found(self, cuts: Mapping[Place, int], ends: Mapping[Place, int]) -> None:
        for place, at in cuts.items():
            self._cuts[place] = min(at, self._cuts.get(place, at))
        self.known = {**self.known, **{place: ends[place] for place in cuts}}

    def _know(self, ends: Mapping[Place, int]) -> None:
        higher = {place: max(end, self.known.get(place, 0)) for place, end in ends.items()}
        self.known = {**self.known, **higher}

    async def _all(self) -> dict[Place, Document]:
        found = await self._store.page(COLLECTION, {}, sort="_id", after=None, limit=_MOST)
        return {place_of(one["_id"]): one for one in found}

    async def _write(self, places: Iterable[Place], change: _Change) -> None:
        by_id = {place_id(place): place for place in places}
        for _ in range(_TRIES):
            try:
                return await self._attempt(by_id, change)
            except Conflict:
                continue  # another process notes them too
        raise StoreError("the acknowledged ends are contended")

    async def _attempt(self, places: Mapping[str, Place], change: _Change) -> None:
        async with self._store.transaction() as transaction:
            there = (await transaction.load({COLLECTION: list(places)})).get(COLLECTION, {})
            writes: list[Put] = []
            for doc_id, place in places.items():
                was = there.get(doc_id) or {"_id": doc_id, "version": 0, "next": 0}
                if (now := change(place, was)) != was:
                    new = {**now, "version": was["version"] + 1}
                    writes.append(Put(COLLECTION, new, was["version"] or None))
            if writes:
                await transaction.write(writes)
                await transaction.commit()
