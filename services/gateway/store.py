"""Indexes of the views, and how the counters are read."""

from collections.abc import AsyncIterator

from services.gateway.domain.counters import COUNTERS, Counter
from shared.chassis.batch import state_of
from shared.chassis.ports import Index, Store

INDEXES = [Index("timeline", "person_id", "at"), Index("history", "thing_id", "at")]

_PAGE = 500


async def counters(store: Store) -> AsyncIterator[Counter]:
    """Every part of every state's counts."""
    after: tuple[str, str] | None = None
    while True:
        found = await store.page(COUNTERS.name, {}, sort="_id", after=after, limit=_PAGE)
        for document in found:
            yield state_of(COUNTERS, document)
        if len(found) < _PAGE:
            return
        after = (found[-1]["_id"], found[-1]["_id"])
