"""`telar parked`, `telar quarantine`, `telar adopt`: keys that wait, and records set aside."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from cli import usage
from cli.operator.api import full
from cli.operator.session import Session

HEADS = ("service", "topic", "key", "reason", "code", "attempts", "head", "held", "known", "since")
_STILL = {"waiting", "failed", "fork"}


@dataclass(frozen=True)
class Key:
    """A key of a topic, as one service has it."""

    service: str
    topic: str
    key: str

    def body(self, why: str) -> dict[str, Any]:
        """What a command about it says."""
        return {"topic": full(self.topic), "key": self.key, "reason": why}


@dataclass(frozen=True)
class Branch:
    """Which branch of a fork holds, and from which number on."""

    branch: str
    sequence: int | None = None
    previous: str | None = None
    """The hash of the event before it, where that cannot be known here."""


def listed(session: Session, service: str | None, why: str | None) -> int:
    """Every key that waits."""
    found = _each(session, service, "parked", reason=why)
    return session.rows(found, HEADS, "No key waits")


def shown(session: Session, key: Key) -> int:
    """One key, and the events that wait, without what is in them."""
    found = session.api.get(f"{key.service}/parked/one", topic=full(key.topic), key=key.key)
    return session.thing(found)


def retried(session: Session, key: Key, why: str) -> int:
    """Try its next event again; 1 when the key still waits."""
    return _told(session, session.api.post(f"{key.service}/parked/retry", key.body(why)))


def skipped(session: Session, key: Key, first: int, last: int | None, why: str) -> int:
    """Go past one event for good, or some in a row; 1 when the key still waits."""
    body = key.body(why) | {"sequence": first} | ({"last": last} if last else {})
    return _told(session, session.api.post(f"{key.service}/parked/skip", body))


def adopted(session: Session, key: Key, holds: Branch, why: str) -> int:
    """End a fork; what of the branch is not here is asked for. 1 when it goes on waiting."""
    given = {name: value for name, value in asdict(holds).items() if value is not None}
    body = key.body(why) | given
    answer = session.api.post(f"{key.service}/adopt", body)
    session.thing(answer)
    return usage.OK if answer["outcome"] in ("released", "waiting") else usage.FAILED


def quarantined(session: Session, service: str | None) -> int:
    """Every record that has no valid place."""
    heads = ("service", "id", "code", "topic", "key", "bytes", "at")
    return session.rows(_each(session, service, "quarantine"), heads, "Nothing is in quarantine")


def record(session: Session, service: str, record_id: str) -> int:
    """One of them, without its value."""
    return session.thing(session.api.get(f"{service}/quarantine/one", id=record_id))


def _each(
    session: Session, service: str | None, what: str, **params: Any
) -> Iterator[dict[str, Any]]:
    for name in session.services(service):
        for one in session.api.items(f"{name}/{what}", **params):
            yield {"service": name, **one}


def _told(session: Session, answer: dict[str, Any]) -> int:
    session.thing(answer)
    return usage.FAILED if answer.get("outcome") in _STILL else usage.OK
