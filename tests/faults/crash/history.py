"""What a client was told: each command with its answer, and the times of both."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["invoked", "accepted", "refused", "unknown"]
Kind = Literal["loan", "recall"]


@dataclass
class Call:
    """One command: a number for a reader's card. A number is used once a key."""

    kind: Kind
    shelf: str
    key: str
    number: int
    once: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Its idempotency key."""
    invoked: float = 0.0
    answered: float = 0.0
    outcome: Outcome = "invoked"
    status: int = 0
    body: bytes = b""

    def ask(self) -> None:
        """It is sent now, for the first time or again."""
        self.invoked = self.invoked or time.monotonic()

    def answer(self, status: int, media_type: str, body: bytes) -> str | None:
        """Note what came back; what is wrong about the answer itself, if anything."""
        self.answered, self.status = time.monotonic(), status
        repeated = self.outcome in ("accepted", "refused")
        if status == 503 or b'"code":"idempotency-in-progress"' in body:
            self.outcome = self.outcome if repeated else "unknown"
        else:
            if repeated and self.body != body:
                return f"{self}: a repeat got other bytes"
            self.outcome, self.body = "accepted" if status < 300 else "refused", body
        is_problem = media_type == "application/problem+json"
        if not (status < 300 or (is_problem and (status < 500 or status == 503))):
            return f"{self}: answered {status} {media_type}"
        return None

    def no_answer(self) -> None:
        """The connection broke: it may have taken effect or not."""
        self.answered = time.monotonic()
        if self.outcome == "invoked":
            self.outcome = "unknown"

    def __str__(self) -> str:
        return f"{self.kind} {self.key} {self.number}"


@dataclass
class History:
    """The calls of one round, and what was wrong about answers."""

    calls: list[Call] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    is_over: bool = False
    """No more calls are made."""

    def written(self) -> list[str]:
        """The keys of the cards that were written to."""
        return sorted({call.key for call in self.calls})

    def count(self, outcome: Outcome) -> int:
        """How many ended like this."""
        return sum(call.outcome == outcome for call in self.calls)
