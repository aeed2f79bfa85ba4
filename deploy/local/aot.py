"""Trains Java once on a throw-away Kafka, so that every later start takes half the time."""

import signal
import tempfile
from pathlib import Path

from deploy.local import jars, kafka, ports
from deploy.local.processes import Child


def build() -> None:
    """Write the start-up cache; it holds for these jars in this place and this Java only."""
    if jars.aot_cache().exists():
        return
    with tempfile.TemporaryDirectory(prefix="telar-aot-", dir=jars.folder()) as scratch:
        made = _train(Path(scratch))
        if made.exists():
            made.replace(jars.aot_cache())


def _train(folder: Path) -> Path:
    made = folder / "kafka.aot"
    port, controller = ports.some(2)
    kafka.prepare(folder, port, controller)
    program = kafka.program(folder, port, flags=(f"-XX:AOTCacheOutput={made}",))
    child = Child(program, folder / "log", folder / "pid", signal.SIGKILL)
    try:
        child.wait_ready(60)
    finally:
        # Java writes the cache on its way out, in a process of its own.
        child.stop(60)
    return made
