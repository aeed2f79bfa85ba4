"""What is to go wrong, and where a service lives that it goes wrong in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

CONNECT = "kafka.KafkaBus.producer"
"""Once a life, on whichever path sends first."""

Harm = Literal["death", "error"]
"""The process dies at a call, or a driver's call goes wrong."""


@dataclass(frozen=True)
class Plan:
    """Harm at this place, the so-many-th time.

    A death: the path, the call, the side of it; without a call at any of the path. An error: the
    call site, the kind, the error.
    """

    path: str
    call: str
    side: str
    nth: int = 1

    def is_at(self, place: tuple[str, str, str]) -> bool:
        """Whether this is a place that is meant."""
        return place == self.place or (not self.call and place[0] == self.path)

    @property
    def place(self) -> tuple[str, str, str]:
        """Where, whichever time."""
        return self.path, self.call, self.side

    def __str__(self) -> str:
        return f"{self.path}: {self.side} {self.call}"


@dataclass(frozen=True)
class Home:
    """Where a service lives: one lane's databases, topics and socket."""

    name: str
    lane: str
    mongo: str
    kafka: str
    folder: Path
    harm: Harm = "death"
    release: str = ""

    @property
    def socket(self) -> Path:
        """Where it serves."""
        return self.folder / f"{self.lane}-{self.name}"

    @property
    def database(self) -> str:
        """Its store."""
        return f"{self.lane}_{self.name}"
