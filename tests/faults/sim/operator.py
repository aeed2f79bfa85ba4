"""What an operator does about a publisher that came back from an old backup."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from shared.chassis.adoption import adopt_topic
from shared.chassis.audit import Asked
from shared.chassis.mending import Mend, skip
from shared.chassis.replies import Idempotency
from shared.chassis.runtime import Runtime
from shared.model import Context
from tests.faults.sim.cluster import Cluster
from tests.faults.sim.world import EPOCH

TOPIC = "telar.desk"


class Operator:
    """Adopts a topic, and skips what is neither in Kafka nor in the outbox any more."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.world = cluster, cluster.world

    async def look(self) -> None:
        """Do what is to be done now."""
        if self.cluster.restored:
            await self._adopt()
            await self._skip()

    async def _adopt(self) -> None:
        """The order to a publisher that refuses to serve, because Kafka knows more."""
        for replica in self.cluster.of("desk"):
            runtime, process = replica.runtime, replica.process
            if runtime is not None and process is not None and runtime.behind:
                assert not runtime.started
                self.world.happened("refusal to serve")
                await process.run(adopt_topic(runtime.topic, runtime.store, runtime.bus))
                return

    async def _skip(self) -> None:
        """Give up, at each subscriber, events that were lost before they were ever sent."""
        for service in ("shop", "view"):
            replica = self.cluster.of(service)[0]
            runtime, process = replica.runtime, replica.process
            if runtime is None or process is None or not runtime.started:
                continue
            for key, numbers in list(self._lost(service)):
                self.world.happened("skipped event", len(numbers))
                await process.run(self._order(runtime, key, numbers))

    def _lost(self, service: str) -> Iterator[tuple[str, range]]:
        rows = self.cluster.stores["desk"].data.get("outbox", {}).values()
        known = {(event["key"], event["sequence"]) for row in rows for event in row["events"]}
        data = self.cluster.stores[service].data
        for parked in data.get("parked", {}).values():
            if parked["topic"] == TOPIC and parked["events"]:
                stream = data["streams"][parked["key"]]
                number = stream["in"].get("desk", (0, ""))[0] + 1
                missing = range(number, parked["events"][0]["sequence"])
                if missing and not any((parked["key"], one) in known for one in missing):
                    yield parked["key"], missing

    async def _order(self, runtime: Runtime, key: str, numbers: range) -> None:
        at = datetime.fromtimestamp(EPOCH + self.world.loop.now, UTC)
        cause = f"skip/{runtime.name}/{key}/{numbers[0]}"
        context = Context(at=at, actor="operator", cause=cause, correlation=cause)
        asked = Asked(context, Idempotency(cause, "digest"), "skip", "lost-with-the-backup")
        work = Mend(asked, TOPIC, key, skip(numbers[0], numbers[-1]))
        runtime.writer.submit([work])
        await work.future
