"""The stack that is up on a folder, as anyone may read it from outside."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from deploy.local.folders import Folders
from deploy.local.processes import PidFile


@dataclass(frozen=True)
class Row:
    """One supervised process."""

    name: str
    state: str
    address: str
    pid: int | None
    since: float | None
    restarts: int


@dataclass(frozen=True)
class Stack:
    """Addresses, keys and processes of a running stack."""

    phase: str
    data: Path
    kafka: str
    mongo: str
    gateway: str
    services: dict[str, list[str]]
    """The addresses of every instance, by service."""
    units: list[Row]

    @property
    def keys(self) -> Path:
        """The folder of the token issuer."""
        return Folders(self.data).keys

    @classmethod
    def find(cls, folder: Path) -> Self | None:
        """The stack that is up on this folder, if one is."""
        folders = Folders(folder.resolve())
        if not folders.is_held():
            return None
        try:
            state = json.loads(folders.state.read_text())
        except FileNotFoundError:
            return None
        # One that was killed leaves its last state behind, and may just be followed by another.
        mine = state["owner"] == PidFile(folders.owner).pid()
        return cls._of(state) if mine else None

    @classmethod
    def _of(cls, state: dict[str, Any]) -> Self:
        return cls(
            phase=state["phase"],
            data=Path(state["data"]),
            kafka=state["kafka"],
            mongo=state["mongo"],
            gateway=state["gateway"],
            services=state["services"],
            units=[Row(**row) for row in state["units"]],
        )

    @property
    def is_whole(self) -> bool:
        """Whether everything is ready."""
        return self.phase == "ready" and all(row.state == "ready" for row in self.units)
