"""`telar verify`: whether the whole is what it says, and which command mends what is not.

Hash chains of every outbox, positions of every key across services, heads against Kafka, sums of
money, what waits, and the gateway's views against views made anew.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cli import usage
from cli.operator import findings
from cli.operator.api import Denied, short
from cli.operator.findings import Finding
from cli.operator.lagging import Where, lagging
from cli.operator.positions import Difference, Subscriptions, differences, standing
from cli.operator.rebuild import built
from cli.operator.session import Session
from cli.operator.topics import Kept, compared
from cli.operator.waiting import parked

GATEWAY = "gateway"
_SHOWN = 100
_SETTLE = 3.0
"""Seconds between two walks: what is on its way has arrived by the second."""


@dataclass
class Verdict:
    """What was looked at, and what is wrong with it."""

    looked: dict[str, int] = field(default_factory=dict)
    found: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is worth a look and no difference."""

    def count(self, name: str, more: int) -> None:
        """So many more were looked at."""
        self.looked[name] = self.looked.get(name, 0) + more

    def data(self, line: Callable[[str], str]) -> dict[str, Any]:
        """As data, with commands as they can be run."""
        return {
            "holds": not self.found,
            "looked": self.looked,
            "findings": [one.data() | {"mend": line(one.mend)} for one in self.found],
            "notes": self.notes,
        }


def verify(session: Session, *, views: bool = True, settle: float = _SETTLE) -> int:
    """Look at everything; 0 when all holds, 1 when something differs."""
    verdict = Verdict()
    publishers = [name for name in session.services() if name != GATEWAY]
    steps: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("hash chains", lambda: _chains(session, publishers, verdict)),
        ("positions", lambda: _positions(session, verdict, settle)),
        ("topics", lambda: _topics(session, publishers, verdict, settle)),
        ("sums", lambda: _checks(session, publishers, verdict)),
        ("what waits", lambda: _waiting(session, verdict, settle)),
    ]
    if views:
        steps.append(("views", lambda: _views(session, verdict)))
    for name, step in steps:
        begun = time.monotonic()
        before = len(verdict.found)
        verdict.found += _safely(name, step)
        mark = "✗" if len(verdict.found) > before else "✓"
        session.say(
            f"{mark} {name}: {verdict.looked.get(name, 0)} ({time.monotonic() - begun:.1f} s)"
        )
    return _tell(session, verdict)


def _safely(name: str, step: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """A part that cannot be looked at is a finding too: nothing was verified there."""
    found: set[Finding] = set()
    try:
        for one in step():
            found.add(one)
    except Denied as denied:
        where = str(denied)
        found.add(Finding(findings.UNREACHABLE, name, detail=where, mend="telar status"))
    return sorted(found)


def _tell(session: Session, verdict: Verdict) -> int:
    told = verdict.data(session.line)
    if session.as_json:
        print(json.dumps(told, indent=1))
        return usage.FAILED if verdict.found else usage.OK
    for note in verdict.notes:
        session.say(f"· {note}")
    if verdict.found:
        session.rows(
            told["findings"][:_SHOWN], ("code", "service", "topic", "key", "detail", "mend"), ""
        )
        if (more := len(verdict.found) - _SHOWN) > 0:
            session.say(f"… and {more} more: --json has all")
    else:
        print("All holds")
    return usage.FAILED if verdict.found else usage.OK


def _chains(session: Session, publishers: list[str], verdict: Verdict) -> Iterator[Finding]:
    for name in publishers:
        for page in session.api.pages(f"{name}/chains"):
            verdict.count("hash chains", page["checked"])
            for one in page["items"]:
                detail = f"{one['problem']} at {one['sequence']}"
                mend = "docs/runbooks/verify.md#log-wrong"
                yield Finding(findings.LOG_WRONG, name, name, one["key"], detail, mend)


def _positions(session: Session, verdict: Verdict, settle: float) -> Iterator[Finding]:
    subscriptions = _subscriptions(session)
    found = list(_walk(session, subscriptions, verdict))
    for _ in range(2):
        if not found:
            return
        time.sleep(settle)
        found = standing(found, _walk(session, subscriptions, verdict))
    waits: dict[Where, int] = {}
    if late := {(one.service, one.topic) for one in found if one.is_late}:
        waits = lagging(session, late, settle)
        found = standing(found, _walk(session, subscriptions, verdict))
    for (service, topic), left in waits.items():
        yield findings.lagging(service, topic, left)
    for one in found:
        if not (one.is_late and (one.service, one.topic) in waits):
            yield _judged(one)


def _subscriptions(session: Session) -> Subscriptions:
    return {
        name: {short(one["topic"]) for one in session.api.get(f"{name}/lag")}
        & set(session.services())
        for name in session.services()
    }


def _walk(session: Session, subscriptions: Subscriptions, verdict: Verdict) -> Iterator[Difference]:
    counts: dict[str, int] = {}
    streams = {name: _counted(session, name, counts) for name in subscriptions}
    yield from differences(streams, subscriptions)
    verdict.looked["positions"] = sum(counts.values())


def _counted(session: Session, name: str, counts: dict[str, int]) -> Iterator[dict[str, Any]]:
    for row in session.api.items(f"{name}/streams"):
        counts[name] = counts.get(name, 0) + 1
        yield row


def _judged(one: Difference) -> Finding:
    if one.is_fork:
        return findings.forked(one.service, one.topic, one.key, one.here.sequence)
    make = findings.wait_or_resend if one.is_late else findings.ahead
    return make(one.service, one.topic, one.key, one.here.sequence, one.there.sequence)


def _topics(
    session: Session, publishers: list[str], verdict: Verdict, settle: float
) -> Iterator[Finding]:
    for name in publishers:
        kept = Kept()
        yield from compared(session.api, name, kept, settle)
        verdict.count("topics", kept.distinct())


def _checks(session: Session, publishers: list[str], verdict: Verdict) -> Iterator[Finding]:
    for name in publishers:
        verdict.count("sums", 1)
        for one in session.api.get(f"{name}/checks"):
            mend = "docs/runbooks/verify.md#sum-wrong"
            yield Finding(findings.SUM_WRONG, name, "", one["subject"], one["code"], mend)


def _waiting(session: Session, verdict: Verdict, settle: float) -> Iterator[Finding]:
    for name in session.services():
        backlog = session.api.get(name)["backlog"]
        verdict.count("what waits", sum(backlog.values()))
        if backlog["deadlines"]:
            yield findings.overdue(name, backlog["deadlines"])
        if backlog["quarantined"]:
            note = f"{backlog['quarantined']} records are in quarantine in {name}"
            verdict.notes.append(f"{note}: {session.line(f'telar quarantine list {name}')}")
        yield from parked(session.api, name, settle)


def _views(session: Session, verdict: Verdict) -> Iterator[Finding]:
    found = built(session, "verify", compare=True)
    verdict.count("views", found["compared"])
    mend = 'telar rebuild --reason "views differ"'
    if found["state"] != "compared":  # another build would end like this one
        mend = "docs/runbooks/rebuild.md#a-build-that-fails"
        yield Finding(findings.VIEW_DIFFERS, GATEWAY, detail=str(found["code"]), mend=mend)
    for name in found["unsettled"]:
        verdict.notes.append(f"{name} moved all the time and could not be compared")
    for one in found["differences"]:
        detail = f"{one['collection']}: {one['what']}"
        yield Finding(findings.VIEW_DIFFERS, GATEWAY, "", one["id"], detail, mend)
