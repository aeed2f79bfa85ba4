"""Who has not read everything yet: what is still to be read is no lack."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cli.operator.api import short
from cli.operator.session import Session

_STANDS = 4
"""Looks in a row at which nothing was read: longer than a group takes to replace a member."""

Where = tuple[str, str]
"""A service, and the short name of a topic that it reads."""


@dataclass
class _Backlog:
    """What had not been read at the first look: later records are not waited for."""

    ends: dict[int, int]
    left: int = 0
    stands: int = 0

    def look(self, rows: Iterable[Any]) -> None:
        """Count anew; a topic that ends earlier now was made anew, and has what it has."""
        left = 0
        for row in rows:
            end = min(self.ends.setdefault(row["partition"], row["end"]), row["end"])
            left += max(0, end - (row["end"] - row["behind"]))
        self.stands = self.stands + 1 if left >= self.left else 0
        self.left = left


def lagging(session: Session, wanted: Iterable[Where], settle: float) -> dict[Where, int]:
    """Wait for these; those that read nothing while there is something, and how much."""
    backlogs = {where: _Backlog({}) for where in wanted}
    going = set(backlogs)
    while True:
        for where, rows in _looked(session, going):
            backlogs[where].look(rows)
        going = {where for where in going if _goes_on(backlogs[where])}
        if not going:
            return {where: one.left for where, one in backlogs.items() if one.left}
        for service, topic in sorted(going):
            session.say(f"  {service} has {backlogs[service, topic].left} of {topic} to read")
        time.sleep(settle)


def _goes_on(backlog: _Backlog) -> bool:
    return bool(backlog.left) and backlog.stands <= _STANDS


def _looked(session: Session, wanted: set[Where]) -> Iterator[tuple[Where, list[Any]]]:
    for service in sorted({service for service, _ in wanted}):
        rows = session.api.get(f"{service}/lag")
        for topic in {short(row["topic"]) for row in rows}:
            if (service, topic) in wanted:
                yield (service, topic), [row for row in rows if short(row["topic"]) == topic]
