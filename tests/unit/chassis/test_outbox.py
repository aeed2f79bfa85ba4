"""The outbox is read page by page, and no page is large."""

import pytest

from shared.chassis import outbox
from shared.chassis.memory import MemoryStore


@pytest.mark.parametrize(
    ("sizes", "most"),
    [([500] * 40, 2500), ([1] * 900, 50), ([1] * 298 + [500] * 10, 25_000), ([0] * 12, 0)],
)
async def test_pages_hold_some_events_whatever_the_commits_hold(
    sizes: list[int], most: int
) -> None:
    store = MemoryStore()
    commits = [
        {"_id": f"{number:04d}", "events": [{"sequence": 1}] * size}
        for number, size in enumerate(sizes)
    ]
    store.apply({("outbox", str(one["_id"])): one for one in commits})
    pages = [page async for page in outbox.since(store, "0001")]
    assert [one["_id"] for page in pages for one in page] == [one["_id"] for one in commits[2:]]
    assert max(sum(len(one["events"]) for one in page) for page in pages) <= most
    assert len(pages) < 20


async def test_an_empty_outbox_has_no_page() -> None:
    assert [page async for page in outbox.since(MemoryStore(), "")] == []
