"""What a load client did and what it was told: one line a command, for a checker to judge.

The file is all that the checker knows of the client. Times are of the monotonic clock.
"""

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Outcome = Literal["ok", "refused", "unknown"]


@dataclass(slots=True)
class Try:
    """One time that a command was sent. `status` 0: no answer came."""

    at: float
    end: float
    where: str
    status: int = 0
    code: str = ""
    reply: str = ""

    @property
    def final(self) -> bool:
        """Whether this answer says what became of the command."""
        if self.status in (401, 429) or self.code == "idempotency-in-progress":
            return False  # the command itself was not looked at
        return 200 <= self.status < 500


@dataclass(slots=True)
class Op:
    """One command: its key (also its correlation id), and every time that it was sent."""

    key: str
    service: str
    name: str
    method: str
    path: str
    by: str
    body: str
    publishes: bool
    """Whether its acceptance shows as events of this service."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the checker may add up: the pool and the amount, for example."""
    tries: list[Try] = field(default_factory=list)
    outcome: Outcome = "unknown"

    def told(self, one: Try) -> None:
        """One more answer, or none."""
        self.tries.append(one)
        if one.final and self.outcome == "unknown":
            self.outcome = "ok" if one.status < 400 else "refused"


class History:
    """All commands of one run."""

    def __init__(self) -> None:
        self.ops: dict[str, Op] = {}
        self.accepted = 0

    def add(self, op: Op) -> Op:
        self.ops[op.key] = op
        return op

    def counts(self) -> dict[str, int]:
        """How the commands ended, and how often they were sent beyond the first time."""
        ended = Counter[str](op.outcome for op in self.ops.values())
        asked = sum(len(op.tries) for op in self.ops.values())
        return {
            "accepted": ended["ok"],
            "refused": ended["refused"],
            "unknown": ended["unknown"],
            "repeats": asked - sum(bool(op.tries) for op in self.ops.values()),
        }

    def write(self, path: Path) -> Path:
        """As lines of JSON."""
        with path.open("w") as file:
            for op in self.ops.values():
                file.write(json.dumps(asdict(op), separators=(",", ":")) + "\n")
        return path


def digest(data: bytes) -> str:
    """What is kept of a body."""
    return hashlib.sha256(data).hexdigest()
