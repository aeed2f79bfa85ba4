"""For maintainers: resolves Kafka anew and writes kafka.lock (python -m deploy.local.lock)."""

import tempfile
from hashlib import sha256
from pathlib import Path

from jgo.maven import MavenContext

from deploy.local.jars import LOCK

_KAFKA = "org.apache.kafka:kafka_2.13:4.4.0"
# Nothing in Kafka's graph binds slf4j to log4j. Resolved apart: its own version table would
# otherwise pull the libraries of Kafka down.
_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5"


def main() -> None:
    """Write the lock: one line a jar, with its size and SHA-256."""
    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(repo_cache=Path(scratch), local_repos=[])
        roots, closure = context.resolver.resolve([context.create_dependency(_KAFKA)])
        binding = context.create_dependency(_BINDING)
        rows: list[str] = []
        for dependency in (*roots, *closure, binding):
            coordinate = f"{dependency.groupId}:{dependency.artifactId}:{dependency.version}"
            data = dependency.artifact.resolve().read_bytes()
            rows.append(f"{coordinate} {len(data)} {sha256(data).hexdigest()}")
    head = "# Jars of Apache Kafka: coordinate, bytes, SHA-256. Written by deploy/local/lock.py."
    LOCK.write_text("\n".join([head, *sorted(rows)]) + "\n")


if __name__ == "__main__":
    main()
