"""`telar rebuild`: the gateway's views made anew from the topics, with traffic going on."""

import time
from typing import Any

from cli import usage
from cli.operator.session import Session

_GLANCE = 0.5
_GOING_ON = {"building", "comparing", "ending"}
_GOOD = {"swapped", "compared"}


def rebuild(session: Session, why: str, *, compare: bool = False) -> int:
    """Build beside the live views, wait, and swap; with `compare` say what differs instead."""
    found = built(session, why, compare=compare)
    differs = found.get("differences") or []
    session.thing(found)
    return usage.OK if found["state"] in _GOOD and not differs else usage.FAILED


def built(session: Session, why: str, *, compare: bool) -> dict[str, Any]:
    """Start it, tell how far it is, and what came of it."""
    mode = "compare" if compare else "swap"
    session.api.post("gateway/rebuild", {"mode": mode, "reason": why})
    told = ""
    while True:
        found: dict[str, Any] = session.api.get("gateway/rebuild")
        if found["state"] not in _GOING_ON:
            return found
        word = f"{found['state']}: {found['events']} events, {found['behind']} behind"
        if word != told and found["generation"] is not None:  # else nobody has taken it up
            session.say(f"  generation {found['generation']} {word}")
            told = word
        time.sleep(_GLANCE)
