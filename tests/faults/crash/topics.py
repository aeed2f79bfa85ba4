"""The records of a lane's topics as Kafka has them, read by the plain client without a group."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from tests.faults.checker.outside import digest

_BEYOND = 20
"""Numbers past the last one at which a record is looked for that no outbox has."""


class Topics:
    """Follows the topics of one lane from their beginning."""

    def __init__(self, bootstrap: str, lane: str) -> None:
        self._bootstrap, self._prefix = bootstrap, f"{lane}."
        self._found: dict[tuple[str, str, int], str] = {}
        self._faults: list[str] = []
        self.records = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read; the topics exist."""
        self._task = asyncio.create_task(self._read())

    async def again(self) -> None:
        """Read from the beginning: a topic was made anew.

        Who goes on where he was reads nothing of what lies before that in the new one, if that has
        grown so far meanwhile. What was seen in the old one still counts: what this test loses on
        purpose is lost again when all is sent again, and by then nobody misses it.
        """
        await self._stop()
        self.start()

    async def close(self) -> None:
        """Read no more, and drop them: what is left would cost whoever asks for the topics."""
        await self._stop()
        await self._drop()

    async def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def differing(self, topic: str, key: str, events: Sequence[Any]) -> Iterable[str]:
        """What is in Kafka otherwise than in the outbox: it lacks, or nobody decided it."""
        yield from self._faults
        decided = {event["sequence"]: digest(event) for event in events}
        for number, known in decided.items():
            if self._found.get((topic, key, number)) != known:
                yield f"{topic} {number} is not in Kafka"
        for number in range(1, len(decided) + _BEYOND):
            if number not in decided and (topic, key, number) in self._found:
                yield f"{topic} {number} is in Kafka alone"

    async def _drop(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        try:
            mine = [topic for topic in await admin.list_topics() if topic.startswith(self._prefix)]
            if mine:
                await admin.delete_topics(mine)
        finally:
            await admin.close()

    async def _read(self) -> None:
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a topic may be made anew
        topics = [self._prefix + name for name in ("telar.shelf", "telar.reader")]
        client = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, auto_offset_reset="earliest", fetch_max_wait_ms=200
        )
        try:
            await client.start()
            client.assign([TopicPartition(topic, part) for topic in topics for part in (0, 1)])
            await client.seek_to_beginning()
            while True:
                for records in (await client.getmany(timeout_ms=500)).values():
                    for record in records:
                        self._note(record)
        finally:
            await client.stop()

    def _note(self, record: Any) -> None:
        self.records += 1
        told = {name.removeprefix("ce_"): raw.decode() for name, raw in record.headers}
        sequence = int(told["sequence"])
        topic = record.topic.removeprefix(self._prefix)
        place = topic, record.key.decode(), sequence
        known = digest({**told, "topic": topic, "key": place[1], "value": record.value})
        if self._found.setdefault(place, known) != known:
            self._faults.append(f"{place}: two events with one number")
