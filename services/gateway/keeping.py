"""Single documents changed by one replica at a time, and collections copied between generations."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from shared.chassis.ports import Conflict, Document, Put, Store, StoreError

_TRIES = 20
_PAGE = 200


class Taken(Exception):
    """Another replica was first, or it is over."""


async def change(
    store: Store,
    collection: str,
    doc_id: str,
    turn: Callable[[Document | None], Document | None],
) -> Document:
    """Write what `turn` makes of a document; again when another was first.

    Raises `Taken` when `turn` does, or makes None of it.
    """
    for _ in range(_TRIES):
        with suppress(Conflict):
            async with store.transaction() as transaction:
                loaded = await transaction.load({collection: [doc_id]})
                found = loaded.get(collection, {}).get(doc_id)
                if (turned := turn(found)) is None:
                    raise Taken
                was = found["version"] if found else None
                written = {**turned, "_id": doc_id, "version": (was or 0) + 1}
                await transaction.write([Put(collection, written, was)])
                await transaction.commit()
                return written
    raise StoreError("others were always first")


async def carry(left: Store, live: Store, collection: str) -> None:
    """Copy the documents of a collection that are not there yet."""
    after: tuple[str, str] | None = None
    while page := await left.page(collection, {}, sort="_id", after=after, limit=_PAGE):
        after = page[-1]["_id"], page[-1]["_id"]
        await add(live, collection, page)


async def add(store: Store, collection: str, documents: Sequence[Document]) -> None:
    """Write those that are not there yet."""
    for _ in range(_TRIES):
        there = await store.some(collection, [one["_id"] for one in documents])
        new = [one for one in documents if one["_id"] not in there]
        if not new:
            return
        with suppress(Conflict):
            async with store.transaction() as transaction:
                await transaction.load({collection: [one["_id"] for one in new]})
                await transaction.write([Put(collection, {**one, "version": 1}) for one in new])
                await transaction.commit()
                return
