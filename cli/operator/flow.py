"""`telar lag`, `resend`, `backfill`, `adopt topic`, `breaker pass`: what flows, and again."""

import time
from collections.abc import Iterator
from typing import Any

from cli import usage
from cli.operator.api import full, short
from cli.operator.session import Session

_GLANCE = 0.5


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
    body = {"key": key, "first": first, "reason": why} | ({"last": last} if last else {})
    answer = session.api.post(f"{short(topic)}/resend", body)
    return session.thing({"topic": full(topic), "key": key, **answer})


def backfill(session: Session, service: str, event_type: str, why: str) -> int:
    """Run a handler that was added later over what it missed; 1 when it failed over some of it."""
    api, told = session.api, ""
    api.post(f"{service}/backfill", {"type": event_type, "reason": why})
    while True:
        jobs = api.items(f"{service}/backfill")
        found = next(job for job in jobs if job["type"] == event_type)
        if found["state"] == "done":
            session.thing(found)
            return usage.FAILED if found["failures"] else usage.OK
        word = f"  {found['events']} events read, {found['applied']} applied"
        if found["state"] == "waiting":
            word = "  waits until every partition is read by the release that handles it"
        if word != told:
            session.say(word)
            told = word
        time.sleep(_GLANCE)


def adopt_topic(session: Session, service: str, why: str) -> int:
    """Have a publisher that was restored from an old backup go on where its topic ends."""
    return session.thing(session.api.post(f"{service}/adopt-topic", {"reason": why}))


def let_pass(session: Session, service: str, why: str) -> int:
    """Have a consumer park what it cannot use, however much that is, for ten minutes."""
    return session.thing(session.api.post(f"{service}/breaker/pass", {"reason": why}))
