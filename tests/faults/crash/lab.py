"""The servers of a run, which forget the dead sooner: members of groups, open transactions."""

from pymongo import MongoClient

from deploy.local import kafka
from deploy.local.servers import Servers


class Lab(Servers):
    """Real servers on random ports."""

    def start_mongo(self) -> None:
        """Start mongod; the locks of a transaction whose process died are free in 5 seconds."""
        super().start_mongo()
        with MongoClient[dict[str, object]](self.mongo) as client:
            client.admin.command("setParameter", 1, transactionLifetimeLimitSeconds=3)

    def start_kafka(self) -> None:
        """Start Kafka; a group may put out a member after a second."""
        folder = self._folder / "kafka"
        kafka.prepare(folder, self._kafka_port, self._controller_port)
        with (folder / "server.properties").open("a") as settings:
            settings.write("group.min.session.timeout.ms=1000\n")
        self._start(kafka.program(folder, self._kafka_port))
