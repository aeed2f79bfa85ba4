"""The breaker: a release in which every event fails must not park every key.

Judged before the commit: a batch that would open it is not written, and the consumer stops.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from shared.chassis.work import APPLIED, FAILED, Arrival, Work

WINDOW = 200
"""So many of the last events are looked at; more than half of them failing is too many."""

KEYS = 20
"""Over no more keys than this it is their own fault: they are parked."""


class BreakerOpen(Exception):
    """Nearly everything fails: this is a fault of the release and not of the events."""


class Breaker:
    """What became of the last events that this process committed."""

    def __init__(self) -> None:
        self._last: deque[tuple[str, bool]] = deque(maxlen=WINDOW)

    def judge(self, tried: Iterable[tuple[str, bool]]) -> None:
        """Keys, and whether their event failed, in order. Raises `BreakerOpen`."""
        window = self._last.copy()
        for one in tried:
            window.append(one)
            if one[1] and _too_many([key for key, is_failure in window if is_failure]):
                raise BreakerOpen

    def keep(self, tried: Iterable[tuple[str, bool]]) -> None:
        """These were committed."""
        self._last.extend(tried)


def tried(outcomes: Mapping[Work, Any]) -> list[tuple[str, bool]]:
    """The key of each event that was given to its handler, and whether that failed."""
    return [
        (work.record.topic + "/" + work.key, outcome == FAILED)
        for work, outcome in outcomes.items()
        if isinstance(work, Arrival) and outcome in (FAILED, APPLIED)
    ]


def _too_many(failed: list[str]) -> bool:
    return len(failed) > WINDOW // 2 and len(set(failed)) > KEYS
