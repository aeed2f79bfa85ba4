"""What a client was told: each command with its answer, and the times of both."""

import asyncio
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

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
    tries: int = 0
    status: int = 0
    body: bytes = b""

    def ask(self) -> None:
        """It is sent now, for the first time or again."""
        self.invoked = self.invoked or time.monotonic()
        self.tries += 1

    def answer(self, status: int, body: bytes) -> str | None:
        """Note what came back; what is wrong about it, if anything."""
        self.answered, self.status = time.monotonic(), status
        repeated = self.outcome in ("accepted", "refused")
        if status >= 500 or b'"code":"idempotency-in-progress"' in body:
            self.outcome = self.outcome if repeated else "unknown"
            return None
        if repeated and self.body != body:
            return f"{self}: a repeat got other bytes"
        self.outcome, self.body = "accepted" if status < 300 else "refused", body
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
    is_late: bool = False
    """What was made up for afterwards stands out of the order of its stream."""
    _end: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_over(self) -> bool:
        """No more calls are made."""
        return self._end.is_set()

    def close(self) -> None:
        """Make no more calls."""
        self._end.set()

    async def over(self, seconds: float) -> None:
        """Return once it is over, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._end.wait()

    def judge(self, what: str, answer: Any) -> None:
        """Nothing but success, refusals and 503 with a problem document goes out."""
        media_type = answer.headers.get("content-type", "").split(";")[0]
        status, is_problem = answer.status_code, media_type == "application/problem+json"
        is_health = what == "/readyz" and status == 503
        if not (status < 300 or is_health or (is_problem and (status < 500 or status == 503))):
            self.faults.append(f"{what}: answered {status} {media_type}")

    def written(self) -> list[str]:
        """The keys of the cards that were written to."""
        return sorted({call.key for call in self.calls})
