"""Which types were handled when: what a handler that was added later has missed.

A document a partition, brought up to date whenever the partition is taken up, says which types its
reader handles, and of each type the stretches of offsets that went by without a handler. While
releases overlap, each partition's stretches end where the newer one took it up. A reader of the
older release may still have a batch under way at that moment: it is missed by both.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.chassis.envelope import topic_of
from shared.chassis.ports import Conflict, Document, Place, Put, Store, place_id

COLLECTION = "handled"

Stretch = tuple[int, int | None]
"""From this offset to before that one; still going on without one."""


@dataclass(frozen=True, slots=True)
class Handled:
    """The ledger of one service, whose present release handles these types."""

    store: Store
    types: frozenset[str]

    async def take_up(self, place: Place, offset: int) -> None:
        """This partition is read from this offset now."""
        mine = sorted(one for one in self.types if topic_of(one) == place[0])
        while True:
            known = await self.store.get(COLLECTION, place_id(place))
            if known is not None and known["types"] == mine:
                return
            changed = _changed(known or _new(place, mine), mine, offset)
            try:
                await self._write(changed, known["version"] if known else None)
            except Conflict:
                continue  # another process took it up meanwhile
            return

    async def everywhere(self, event_type: str, places: Sequence[Place]) -> bool:
        """Whether no partition is still read without a handler; one nobody ever read is none."""
        known = await self.store.some(COLLECTION, [place_id(place) for place in places])
        return all(event_type in one["types"] for one in known.values())

    async def missed(self, event_type: str, places: Sequence[Place]) -> dict[Place, list[Stretch]]:
        """What went by of this type, by partition; what still goes on is not over."""
        known = await self.store.some(COLLECTION, [place_id(place) for place in places])
        found = {place: _stretches(known.get(place_id(place)), event_type) for place in places}
        return {place: stretches for place, stretches in found.items() if stretches}

    async def made_up(self, event_type: str, place: Place) -> None:
        """What had gone by of this type is handled now."""
        while (known := await self.store.get(COLLECTION, place_id(place))) is not None:
            left = [one for one in _missed(known, event_type) if one["to"] is None]
            missed = [*(one for one in known["missed"] if one["type"] != event_type), *left]
            try:
                await self._write({**known, "missed": missed}, known["version"])
            except Conflict:
                continue
            return

    async def _write(self, document: Document, was: int | None) -> None:
        async with self.store.transaction() as transaction:
            await transaction.write([Put(COLLECTION, {**document, "version": (was or 0) + 1}, was)])
            await transaction.commit()


def _new(place: Place, types: list[str]) -> Document:
    return {"_id": place_id(place), "types": types, "missed": []}


def _changed(known: Document, mine: list[str], offset: int) -> Document:
    """Stretches of types that are handled again end; those of types no longer handled begin."""
    missed = [
        {**one, "to": offset} if one["type"] in mine and one["to"] is None else one
        for one in known["missed"]
    ]
    ended = {one["type"] for one in known["missed"] if one["to"] is None}
    new = [one for one in mine if one not in known["types"] and one not in ended]
    gone = [one for one in known["types"] if one not in mine]
    missed += [{"type": one, "from": 0, "to": offset} for one in new if offset]
    missed += [{"type": one, "from": offset, "to": None} for one in gone]
    return {**known, "types": mine, "missed": missed}


def _missed(known: Document, event_type: str) -> list[Document]:
    return [one for one in known["missed"] if one["type"] == event_type]


def _stretches(known: Document | None, event_type: str) -> list[Stretch]:
    found = _missed(known, event_type) if known else []
    return [(one["from"], one["to"]) for one in found if one["to"] is not None]
