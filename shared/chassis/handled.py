"""Which types were handled when: what a handler that was added later has missed.

A document a partition, brought up to date whenever the partition is taken up, says which types its
reader handles, and of each type the stretches of offsets that went by without a handler. While
releases overlap, each partition's stretches end where the newer one took it up. A reader of the
older release may still have a batch under way at that moment: it is missed by both.

A reader that died may have written records past the one where it is read on: one before them had to
wait. Which of these were applied is seen by the positions, before anything else is read: they went
by without a handler, or had one, as the release before this one has it.

Beside each stretch it is noted what stood at its ends, soon after these are known. In a topic that
was made anew something else stands there: the same offsets are other events, and nobody can say
any more which ones were missed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.chassis import streams
from shared.chassis.envelope import topic_of
from shared.chassis.marks import NOTHING, mark
from shared.chassis.ports import Bus, Conflict, Document, Place, Put, Store, place_id
from shared.chassis.tail import events_of

COLLECTION = "handled"

MOST_BEYOND = 10_000
"""Offsets past the place where a partition is read on of which it is asked what was applied.

A poll or two of a reader that died, or a second of one that reads again, are fewer. In a topic that
was made anew all could be asked about that it was filled with, and nothing would be read meanwhile.
"""


class Stretch(NamedTuple):
    """From this offset to before that one; what stood before each of them, by offset."""

    start: int
    end: int
    marks: Mapping[str, str]
    only: frozenset[int] | None = None
    """The offsets of it that were missed; None for all."""

    def has(self, offset: int) -> bool:
        """Whether this one was missed."""
        return self.start <= offset < self.end and (self.only is None or offset in self.only)


class Beyond(NamedTuple):
    """What stands past the offset where a partition is read on, as far as any of it is written."""

    start: int
    end: int
    applied: Mapping[str, Sequence[int]]
    """The offsets of events that were applied already, by type."""
    waiting: Mapping[str, Sequence[int]]
    """Those of the others."""
    is_elsewhere: bool = False
    """Whether the partition ends before the offset where it is read on: it was made anew."""


@dataclass(frozen=True, slots=True)
class Handled:
    """The ledger of one service, whose present release handles these types."""

    store: Store
    types: frozenset[str]
    unmarked: set[Place] = field(default_factory=set, compare=False)
    """Partitions taken up here with ends of stretches of which nothing is noted yet."""

    async def take_up(self, bus: Bus, place: Place, offset: int, top: int) -> None:
        """This partition is read from this offset now; up to `top` some of it is written."""
        mine = sorted(one for one in self.types if topic_of(one) == place[0])
        beyond: Beyond | None = None
        while True:
            known = await self.store.get(COLLECTION, place_id(place))
            if known is not None and known["types"] == mine:
                return self._remember(place, known)
            beyond = beyond or await self._beyond(bus, place, offset, top)
            changed = _changed(known or _new(place, mine), mine, beyond)
            try:
                await self._write(changed, known["version"] if known else None)
            except Conflict:
                continue  # another process took it up meanwhile
            return self._remember(place, changed)

    async def _beyond(self, bus: Bus, place: Place, offset: int, top: int) -> Beyond:
        end, applied, waiting = offset, dict[str, list[int]](), dict[str, list[int]]()
        if offset and (await bus.ends(place[0])).get(place, 0) < offset:
            return Beyond(offset, offset, applied, waiting, is_elsewhere=True)
        if top <= offset:
            return Beyond(offset, end, applied, waiting)
        last = min(top, offset + MOST_BEYOND)
        async for records in bus.scan(place[0], {place: offset}, {place: last}):
            events = events_of(records)
            there = await self.store.some(streams.COLLECTION, [event.key for _, event in events])
            for record, event in events:
                stream = there.get(event.key) or streams.fresh(event.key)
                is_applied = event.sequence <= streams.applied(stream, event.topic)[0]
                found = applied if is_applied else waiting
                found.setdefault(event.type, []).append(record.offset)
            end = max([end, *(record.offset + 1 for record in records)])
        return Beyond(offset, end, applied, waiting)

    def _remember(self, place: Place, known: Document) -> None:
        if _unmarked(known):
            self.unmarked.add(place)

    async def mark(self, bus: Bus, places: Iterable[Place] = ()) -> None:
        """Note what stands at the ends of the stretches of partitions that were taken up.

        And of these: who took them up may have died before.
        """
        for place in sorted({*self.unmarked, *places}):
            await self._mark(bus, place)
            self.unmarked.discard(place)

    async def _mark(self, bus: Bus, place: Place) -> None:
        while (known := await self.store.get(COLLECTION, place_id(place))) is not None:
            if not (offsets := _unmarked(known)):
                return
            found = {str(offset): await mark(bus, place, offset) for offset in sorted(offsets)}
            try:
                await self._write(_marked(known, found), known["version"])
            except Conflict:
                continue
            return

    async def is_elsewhere(self, bus: Bus, place: Place, stretch: Stretch) -> bool:
        """Whether something else stands at its ends now: the topic was made anew."""
        for at, stood in stretch.marks.items():
            if stood == NOTHING or await mark(bus, place, int(at)) != stood:
                return True
        return False

    async def everywhere(self, event_type: str, places: Sequence[Place]) -> bool:
        """Whether no partition is still read without a handler; one nobody ever read is none."""
        known = await self.store.some(COLLECTION, [place_id(place) for place in places])
        return all(event_type in one["types"] for one in known.values())

    async def missed(self, event_type: str, places: Sequence[Place]) -> dict[Place, list[Stretch]]:
        """What went by of this type, by partition; what still goes on is not over."""
        known = await self.store.some(COLLECTION, [place_id(place) for place in places])
        found = {place: _stretches(known.get(place_id(place)), event_type) for place in places}
        return {place: stretches for place, stretches in found.items() if stretches}

    async def made_up(self, event_type: str, place: Place, stretch: Stretch) -> None:
        """What had gone by of this type in this stretch is handled now."""
        gone = (event_type, stretch.start, stretch.end)
        while (known := await self.store.get(COLLECTION, place_id(place))) is not None:
            missed = [one for one in known["missed"] if _named(one) != gone]
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


def _changed(known: Document, mine: list[str], at: Beyond) -> Document:
    """Stretches of types that are handled again end; those of types no longer handled begin.

    What is applied past the offset from which it is read now, the release before has applied; what
    waits there, this one will.
    """
    new = [one for one in mine if one not in known["types"]]
    gone = [one for one in known["types"] if one not in mine]
    since = {one["type"]: one["from"] for one in known["missed"] if one["to"] is None}
    missed = [_ended(one, at) if one["type"] in new else one for one in known["missed"]]
    for one in new:
        first = since.get(one, 0)
        if one not in since and at.start:
            missed.append({"type": one, "from": 0, "to": at.start})
        applied = [offset for offset in at.applied.get(one, ()) if offset >= first]
        missed += _among(one, max(at.start, first), at.end, applied)
    for one in gone:
        missed.append({"type": one, "from": at.end, "to": None})
        missed += _among(one, at.start, at.end, at.waiting.get(one, ()))
    if at.is_elsewhere:
        changed = {*new, *gone}
        missed = [_unknown(one) if one["type"] in changed else one for one in missed]
    return {**known, "types": mine, "missed": missed}


def _unknown(one: Document) -> Document:
    """It, marked so that no topic ever fits it: nobody can say what of it was missed."""
    return {**one, "marks": {str(one["from"]): NOTHING}}


def _ended(one: Document, at: Beyond) -> Document:
    """It, without what the release that handles its type again will apply by itself."""
    if "only" in one:
        missed = set(one["only"]).difference(at.waiting.get(one["type"], ()))
        return {**one, "only": sorted(missed)}
    return {**one, "to": max(one["from"], at.start)} if one["to"] is None else one


def _among(event_type: str, start: int, end: int, offsets: Sequence[int]) -> list[Document]:
    """A stretch of which these alone were missed, if there are any."""
    stretch: Document = {"type": event_type, "from": start, "to": end, "only": list(offsets)}
    return [stretch] if offsets else []


def _named(one: Document) -> tuple[str, int, int | None]:
    return one["type"], one["from"], one["to"]


def _unmarked(known: Document) -> set[int]:
    """The ends of which nothing is noted; before the first record nothing can stand."""
    ends = [(one, end) for one in known["missed"] for end in (one["from"], one["to"])]
    return {end for one, end in ends if end and str(end) not in one.get("marks", {})}


def _marked(known: Document, found: Mapping[str, str]) -> Document:
    missed = [
        {**one, "marks": {**_at_the_ends(one, found), **one.get("marks", {})}}
        for one in known["missed"]
    ]
    return {**known, "missed": missed}


def _at_the_ends(one: Document, found: Mapping[str, str]) -> dict[str, str]:
    return {at: stood for at, stood in found.items() if int(at) in (one["from"], one["to"])}


def _stretches(known: Document | None, event_type: str) -> list[Stretch]:
    """Those of a type that have ended."""
    found = known["missed"] if known else []
    return [
        Stretch(one["from"], one["to"], one.get("marks", {}), _only(one))
        for one in found
        if one["type"] == event_type and one["to"] is not None
    ]


def _only(one: Document) -> frozenset[int] | None:
    return frozenset(one["only"]) if "only" in one else None
