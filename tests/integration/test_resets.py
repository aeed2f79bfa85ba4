"""Connections to Kafka that are reset between two turns of the loop that services run on."""

import asyncio
from uuid import uuid4

import pytest
import uvloop
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from deploy.local.servers import Servers
from shared.chassis.kafka import KafkaBus, KafkaConsumer
from tests.integration.bus_suite import member


def test_what_is_sent_over_a_connection_that_was_reset_is_an_error_of_kafka(
    servers: Servers,
) -> None:
    async def run() -> None:
        bus, topic = KafkaBus(servers.kafka, session=6.0), f"topic.{uuid4().hex[:12]}"
        await bus.ensure({topic: 1})
        async with member(bus, topic) as consumer, asyncio.timeout(30):
            assert isinstance(consumer, KafkaConsumer)
            await consumer.poll()
            connections = list(consumer._client._client._conns.values())
            for one in connections:
                one._writer.transport.abort()
            await asyncio.sleep(0)  # uvloop has closed them, and aiokafka does not know of it yet
            for one in connections:
                with pytest.raises(KafkaConnectionError):
                    one.send(MetadataRequest([]))
            assert connections
        await bus.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
