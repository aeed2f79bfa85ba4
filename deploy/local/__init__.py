"""The one-machine stack: real MongoDB, real Kafka and every service, started from packages."""
