"""Where the partitions of a topic ended, as Kafka acknowledged it: a later loss shows there."""

from collections.abc import Iterable, Mapping

from shared.chassis.ports import Conflict, Document, Place, Put, Store, StoreError, place_id

COLLECTION = "acknowledged"

_TRIES = 5


class Ends:
    """The noted ends; every process of a service notes what it was told."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def among(self, places: Iterable[Place]) -> dict[Place, int]:
        """The noted offset of the next record, of those partitions that have one."""
        ids = {place: place_id(place) for place in places}
        found = await self._store.some(COLLECTION, [*ids.values()])
        return {place: found[known]["next"] for place, known in ids.items() if known in found}

    async def note(self, ends: Mapping[Place, int]) -> None:
        """Keep these where they are higher than what is noted."""
        await self._write(ends, lower=False)

    async def reset(self, ends: Mapping[Place, int]) -> None:
        """Keep these whatever is noted: what was lost is there again."""
        await self._write(ends, lower=True)

    async def _write(self, ends: Mapping[Place, int], *, lower: bool) -> None:
        by_id = {place_id(place): end for place, end in ends.items()}
        for _ in range(_TRIES):
            try:
                return await self._attempt(by_id, lower=lower)
            except Conflict:
                continue  # another process notes them too
        raise StoreError("the acknowledged ends are contended")

    async def _attempt(self, ends: Mapping[str, int], *, lower: bool) -> None:
        async with self._store.transaction() as transaction:
            there = (await transaction.load({COLLECTION: list(ends)})).get(COLLECTION, {})
            writes = [
                Put(COLLECTION, _noted(doc_id, end, there.get(doc_id)), _was(there.get(doc_id)))
                for doc_id, end in ends.items()
                if lower or end > there.get(doc_id, {"next": 0})["next"]
            ]
            if writes:
                await transaction.write(writes)
                await transaction.commit()


def _noted(doc_id: str, end: int, there: Document | None) -> Document:
    return {"_id": doc_id, "version": (_was(there) or 0) + 1, "next": end}


def _was(document: Document | None) -> int | None:
    return document["version"] if document else None
