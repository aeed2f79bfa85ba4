"""Sending: in order, acknowledged by all, with a new client after any failure."""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer

from shared.chassis.kafka.clients import stop, within
from shared.chassis.patience import Aside
from shared.chassis.ports import Outgoing, Place


class KafkaProducer:
    """Sends in order, and replaces its client after any failure."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._client: AIOKafkaProducer | None = None
        self._aside = Aside()

    async def send(self, records: Sequence[Outgoing], deadline: float) -> dict[Place, int]:
        """All acknowledged, or `BusError` and a new client next time."""
        try:
            async with within(deadline, "send"):
                return await self._send(records)
        except BaseException:
            self._discard(0.0)  # what it still holds must not be sent later
            raise

    async def _send(self, records: Sequence[Outgoing]) -> dict[Place, int]:
        client = await self._connected()
        answers: list[asyncio.Future[Any]] = []
        for one in records:  # one after another: gathered they are slower and out of order
            headers = list(one.headers)
            answers.append(await client.send(one.topic, one.value, one.key, headers=headers))
        # Looks at all of them, whichever fails; of a partition the last one is the highest.
        done = await asyncio.gather(*answers)
        return {(one.topic, one.partition): one.offset + 1 for one in done}

    async def _connected(self) -> AIOKafkaProducer:
        # Nothing lingers: a batch is handed over whole, and what comes meanwhile waits for the
        # answer anyway.
        if self._client is None:
            self._client = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap,
                acks="all",
                enable_idempotence=True,
                compression_type="zstd",
                max_batch_size=256 * 1024,
                request_timeout_ms=10_000,
            )
            await self._client.start()
        return self._client

    def _discard(self, seconds: float) -> None:
        client, self._client = self._client, None
        if client is not None:
            self._aside.start(stop(client, seconds))

    async def close(self, deadline: float) -> None:
        """Send what is under way, and let go."""
        self._discard(deadline / 2)
        await self._aside.settle(deadline)
