"""The services: found by folder, with the variables that tell each where the others are."""

import http.client
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from deploy.local.folders import Folders
from deploy.local.processes import Program

GATEWAY = "gateway"


def names() -> list[str]:
    """Every service there is."""
    spec = find_spec("services")
    folders = spec.submodule_search_locations if spec else None
    mains = (main for folder in folders or () for main in Path(folder).glob("*/__main__.py"))
    return sorted(main.parent.name for main in mains)


@dataclass(frozen=True)
class Instance:
    """One process of a service: the service, its number from 1, its port."""

    service: str
    number: int
    port: int

    @property
    def name(self) -> str:
        """grants, grants-2, grants-3 …"""
        return self.service if self.number == 1 else f"{self.service}-{self.number}"

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Surroundings:
    """What a service is told about the stack."""

    folders: Folders
    kafka: str
    mongo: str
    instances: tuple[Instance, ...]

    def environment(self, instance: Instance) -> dict[str, str]:
        """The variables of one instance."""
        variables = {
            "HOST": "127.0.0.1",
            "PORT": str(instance.port),
            "KAFKA": self.kafka,
            "MONGO": self.mongo,
            "JWKS": str(self.folders.keys / "jwks.json"),
        }
        if instance.service == GATEWAY:
            variables |= {
                "ISSUER": str(self.folders.keys),
                "UPSTREAMS": json.dumps(self.upstreams()),
            }
        prefix = instance.service.upper()
        return {f"{prefix}_{name}": value for name, value in variables.items()}

    def upstreams(self) -> Mapping[str, list[str]]:
        """The addresses of all instances of each service behind the gateway."""
        found: dict[str, list[str]] = {}
        for instance in self.instances:
            if instance.service != GATEWAY:
                found.setdefault(instance.service, []).append(instance.url)
        return found

    def program(self, instance: Instance) -> Program:
        """How one instance is started."""
        return Program(
            instance.name,
            (sys.executable, "-P", "-m", f"services.{instance.service}"),
            lambda: answers(instance.port, "/readyz"),
            {
                **self.environment(instance),
                f"{instance.service.upper()}_LOG_FORMAT": "json",
                "TELAR_DATA_DIR": str(self.folders.root),
            },
            instance.url,
        )

    def write(self) -> None:
        """Write all variables to a file, so that a service started by hand joins this stack."""
        lines = ["# Written by `telar up`; gone when it stops."]
        for instance in self.instances:
            if instance.number == 1:
                variables = self.environment(instance).items()
                lines += [f"{name}='{value}'" for name, value in variables]
        file = self.folders.services_env
        file.touch(mode=0o600)
        file.write_text("\n".join(lines) + "\n")


def answers(port: int, path: str) -> bool:
    """Whether a GET is answered with 200."""
    return _get(port, path)[0] == http.client.OK


def is_restored(port: int) -> bool:
    """Whether a service waits for an operator: Kafka knows more of its topic than it does."""
    _, body = _get(port, "/readyz")
    try:
        faults: list[str] = json.loads(body)["faults"]
    except (ValueError, KeyError, TypeError):
        return False
    return faults == ["restored"]


def _get(port: int, path: str) -> tuple[int, bytes]:
    """Status and body; (0, b"") when nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()
