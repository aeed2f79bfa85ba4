"""`telar lag`, `telar resend`, `telar backfill`, `telar adopt topic`: what flows, and again."""

import time
from collections.abc import Iterator
from typing import Any

from cli import usage
from cli.operator.api import full, short
from cli.operator.session import Session

_GLANCE = 0.5
_DONE = {"done", "failed"}
_MOST = 500
"""Events that one command sends again."""


def lag(session: Session) -> int:
    """How many records each service has not consumed yet; 1 when there are any."""
    rows = list(_lags(session))
    behind = sum(row["behind"] for row in rows)
    shown = rows if session.as_json else [row for row in rows if row["behind"]]
    session.rows(shown, ("service", "topic", "partition", "behind"), "Nobody is behind")
    return usage.FAILED if behind else usage.OK


def _lags(session: Session) -> Iterator[dict[str, Any]]:
    for name in session.services():
        for one in session.api.get(f"{name}/lag"):
            yield {"service": name, **one}


def resend(
    session: Session, topic: str, key: str, stretch: tuple[int, int | None], why: str
) -> int:
    """Have the publisher send events of a key again, from its outbox."""
    first, last = stretch
    sent = 0
    while True:
        body = {"key": key, "first": first, "reason": why} | ({"last": last} if last else {})
        answer = session.api.post(f"{short(topic)}/resend", body)
        sent += answer["sent"]
        first += answer["sent"]
        if not answer["sent"] or first > min(last or answer["head"], answer["head"]):
            return session.thing({"topic": full(topic), "key": key, **answer, "sent": sent})


def backfill(session: Session, service: str, event_type: str, why: str) -> int:
    """Run a handler that was added later over the past; returns when that is done."""
    api = session.api
    api.post(f"{service}/backfill", {"type": event_type, "reason": why})
    while True:
        found = [one for one in api.get(f"{service}/backfill") if one["type"] == event_type]
        if found and found[0]["state"] in _DONE:
            session.thing(found[0])
            return usage.OK if found[0]["state"] == "done" else usage.FAILED
        if found and not session.as_json:
            session.say(f"{found[0]['events']} events read, {found[0]['applied']} applied")
        time.sleep(_GLANCE)


def adopt_topic(session: Session, service: str, why: str) -> int:
    """Have a publisher that was restored from an old backup go on where its topic ends."""
    return session.thing(session.api.post(f"{service}/adopt-topic", {"reason": why}))
