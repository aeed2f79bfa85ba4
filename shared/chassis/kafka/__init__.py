"""Apache Kafka as the bus; nothing else imports aiokafka, whose traps are answered here.

After a terminal error its numbering of batches is off (aiokafka#1017): the client is discarded. A
send or stop may wait for ever for a broker that is gone (#1101): everything has a deadline. A
cancelled poll leaks, and a poll blocks while its group settles: it is left to run.
"""

from shared.chassis.kafka.bus import KafkaBus
from shared.chassis.kafka.consumer import KafkaConsumer
from shared.chassis.kafka.producer import KafkaProducer

__all__ = ["KafkaBus", "KafkaConsumer", "KafkaProducer"]
