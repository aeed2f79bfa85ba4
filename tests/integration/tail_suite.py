"""What Kafka acknowledged and does not have is sent again; on memory and on real servers."""

from typing import Any

from shared.chassis.ports import Put, Store
from tests.integration.fork_suite import ForkSuite
from tests.integration.repair_suite import SHELF
from tests.support.app import Running
from tests.support.wait import until


class TailSuite(ForkSuite):
    """Inherited by a test module that offers what `CoreSuite` wants."""

    async def test_what_kafka_lost_is_sent_again(
        self, shelf: Running, reader: Running, shelf_store: Store
    ) -> None:
        for number in (1, 2):
            await shelf.post("/shelves/s/loans", {"reader_id": "ana", "number": number})
        await self.card(reader, "ana", [1, 2])

        async def noted() -> dict[str, Any]:
            return await shelf_store.some("acknowledged", [f"{SHELF}/0", f"{SHELF}/1"])

        ((place, kept),) = (await until(noted)).items()
        higher = {**kept, "version": kept["version"] + 1, "next": kept["next"] + 5}
        async with shelf_store.transaction() as transaction:
            await transaction.write([Put("acknowledged", higher, kept["version"])])
            await transaction.commit()
        topic = await until(
            lambda: shelf.json("/operations/shelf/topic"), lambda seen: seen["records"] >= 4
        )
        assert topic["numbers"] == {"ana": [[1, 2]]}
        await until(noted, lambda now: now[place]["next"] < higher["next"])
        await self.card(reader, "ana", [1, 2])

    async def test_what_counts_as_sent_has_its_end_noted(
        self, shelf: Running, shelf_store: Store
    ) -> None:
        """Else a loss right after it would be seen by nobody."""
        await shelf.post("/shelves/s/loans", {"reader_id": "ana", "number": 1})
        await until(
            lambda: shelf.json("/operations/shelf"), lambda seen: not seen["backlog"]["outbox"]
        )
        noted = await shelf_store.some("acknowledged", [f"{SHELF}/0", f"{SHELF}/1"])
        assert [one["next"] for one in noted.values()] == [1]

    async def test_what_kafka_lost_is_sent_again_although_more_was_put_behind_it(
        self, shelf: Running, reader: Running, shelf_store: Store
    ) -> None:
        await shelf.post("/shelves/s/loans", {"reader_id": "ana", "number": 1})
        await self.card(reader, "ana", [1])
        ends = shelf.runtime.publisher.ends
        ((place, end),) = (await until(ends.learn)).items()
        ends.known = {place: end + 1}  # as if one more had been there
        await shelf.post("/shelves/s/loans", {"reader_id": "ana", "number": 2})
        topic = await until(
            lambda: shelf.json("/operations/shelf/topic"), lambda seen: seen["records"] >= 4
        )
        assert topic["numbers"] == {"ana": [[1, 2]]}
        assert set(await until(ends.learn)) == {place}
        await self.card(reader, "ana", [1, 2])
