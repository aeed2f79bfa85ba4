"""The records of a lane's topics as Kafka has them, read by the plain client without a group."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition


class Topics:
    """Follows the topics of one lane from their beginning."""

    def __init__(self, bootstrap: str, lane: str) -> None:
        self._bootstrap, self._prefix = bootstrap, f"{lane}."
        self._values: dict[tuple[str, str, int], bytes] = {}
        self._faults: list[str] = []
        self.records = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read; the topics exist."""
        self._task = asyncio.create_task(self._read())

    async def close(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def missing(self, events: Iterable[Any]) -> list[str]:
        """Events that are not there, or whose bytes are others."""
        found = list(self._faults)
        for event in events:
            place = event["topic"], event["key"], event["sequence"]
            if self._values.get(place) != event["value"]:
                found.append(f"{place[0]} {place[2]} is not in Kafka")
        return found

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
        sequence = int(dict(record.headers)["ce_sequence"])
        topic = record.topic.removeprefix(self._prefix)
        place = topic, record.key.decode(), sequence
        if self._values.setdefault(place, record.value) != record.value:
            self._faults.append(f"{place}: two events with one number")
