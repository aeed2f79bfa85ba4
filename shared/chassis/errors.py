"""Everything that can go wrong in the chassis, and what follows from it.

Refused (shared.model)   a rule says no: 409, 403 or 404, stored with the reply
Problem                  the request itself is at fault, or we can't serve it now
├── Unauthorised         401
├── Unavailable          503, with Retry-After; never stored
└── StateUnreadable,     500: a document that this release cannot read, or that no store can
    StateUnwritable      keep; never stored, and of an event it parks the key under this name
Malformed                a Kafka record without a valid place: quarantined
StoreError, BusError     (ports) infrastructure: retried, never the event's fault
anything else            a bug: 500 for a caller, the key is parked for an event
"""

from collections.abc import Mapping, Sequence
from typing import Any


class Problem(Exception):
    """An answer in `application/problem+json` (RFC 9457) with a stable code."""

    def __init__(
        self,
        status: int,
        code: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.status, self.code = status, code
        self.errors = list(errors)
        self.headers = dict(headers or {})


class Unavailable(Problem):
    """Not now: the caller may repeat with the same key after `retry_after` seconds."""

    def __init__(self, code: str, retry_after: int = 1) -> None:
        super().__init__(503, code, headers={"retry-after": str(retry_after)})


class StateUnreadable(Problem):
    """What is stored is no state to this release; whoever needs it fails alone."""

    def __init__(self) -> None:
        super().__init__(500, "state-unreadable")


class StateUnwritable(Problem):
    """What an intent has made of a document, or what it says, cannot be stored."""

    def __init__(self) -> None:
        super().__init__(500, "state-unwritable")


class Malformed(Exception):
    """A record that has no valid place in any stream."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
