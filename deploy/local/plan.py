"""What is to run on this machine, and on which ports."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.local import kafka, mongo, ports, services
from deploy.local.services import GATEWAY, Instance

FIRST_PORT = 7400
_SERVER_PORTS = 3


@dataclass(frozen=True)
class Plan:
    """What is to run: replicas by service, what is left out, from which port on."""

    replicas: Mapping[str, int] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    first_port: int | None = FIRST_PORT
    throw_away: bool = False

    def instances(self) -> list[tuple[str, int]]:
        """Service and number of every process; the gateway first."""
        found = sorted(services.names(), key=lambda name: (name != GATEWAY, name))
        return [(name, n) for name in found for n in range(1, self.replicas.get(name, 1) + 1)]

    @property
    def size(self) -> int:
        """How many ports it needs."""
        return len(self.instances()) + _SERVER_PORTS

    def lay_out(self, say: Callable[[str], None]) -> "Layout":
        """Give everything a port; says aloud when the usual ones are in use."""
        wanted = self.instances()
        first, kafka_port, mongo_port, controller, *rest = self._ports(self.size)
        if self.first_port not in (None, first):
            say(f"Ports from {self.first_port} are in use: taking {first} and up")
        numbered = zip(wanted, [first, *rest], strict=True)
        instances = tuple(Instance(service, n, port) for (service, n), port in numbered)
        return Layout(kafka_port, mongo_port, controller, instances)

    def _ports(self, count: int) -> list[int]:
        """A block that is easy to remember, or any."""
        if self.first_port is None:
            return ports.some(count)
        return list(ports.block(self.first_port, count))


@dataclass(frozen=True)
class Layout:
    """The place of everything that runs."""

    kafka_port: int = 0
    mongo_port: int = 0
    controller_port: int = 0
    instances: tuple[Instance, ...] = ()

    @property
    def kafka(self) -> str:
        """Where Kafka is."""
        return kafka.address(self.kafka_port)

    @property
    def mongo(self) -> str:
        """Where MongoDB is."""
        return mongo.address(self.mongo_port)

    @property
    def gateway(self) -> str:
        """Where the public API is."""
        return next(iter(self.urls(GATEWAY)), "")

    def urls(self, service: str) -> list[str]:
        """Where the instances of a service are."""
        return [found.url for found in self.instances if found.service == service]

    def facts(self) -> dict[str, Any]:
        """The addresses, for those who read the state of the stack."""
        behind = {found.service: self.urls(found.service) for found in self.instances}
        return {
            "kafka": self.kafka,
            "mongo": self.mongo,
            "gateway": self.gateway,
            "services": behind,
        }
