"""The breaker: a release in which every event fails must not park every key.

Judged before the commit: a batch that would open it is not written, and the consumer stops. Where
it is not the release but the events that nobody can use, an operator lets them pass: they are
parked.
"""

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from shared.chassis.audit import Asked, Order
from shared.chassis.batch import Ref
from shared.chassis.clock import Clock
from shared.chassis.fold import Scope
from shared.chassis.ports import Store, StoreError
from shared.chassis.replies import Stored
from shared.chassis.work import APPLIED, FAILED, Arrival, Work
from shared.model import Frozen

COLLECTION, PASS = "breaker", "pass"
PASSING = timedelta(minutes=10)
"""So long after an operator's order it does not open, whatever fails."""

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
        self._opens_from = 0.0

    def let_pass(self, seconds: float) -> None:
        """What fails in these seconds is parked, and counts no more after them."""
        self._opens_from = time.monotonic() + seconds
        self._last.clear()

    @property
    def _is_passing(self) -> bool:
        return time.monotonic() < self._opens_from

    def judge(self, tried: Iterable[tuple[str, bool]]) -> None:
        """Keys, and whether their event failed, in order. Raises `BreakerOpen`."""
        if self._is_passing:
            return
        window = self._last.copy()
        for one in tried:
            window.append(one)
            if one[1] and _too_many([key for key, is_failure in window if is_failure]):
                raise BreakerOpen

    def keep(self, tried: Iterable[tuple[str, bool]]) -> None:
        """These were committed."""
        if not self._is_passing:
            self._last.extend(tried)


class Passing(Frozen):
    """Until when the breaker does not open."""

    until: datetime


class LetPass(Order):
    """An operator lets events pass that this release cannot use, audited with the reason."""

    def __init__(self, asked: Asked) -> None:
        super().__init__(asked)
        self._pass = Ref(COLLECTION, PASS)

    def wanted(self) -> Sequence[Ref]:
        """What was ordered before."""
        return [*super().wanted(), self._pass]

    def act(self, scope: Scope) -> Stored:
        """Every process finds it there once its breaker is open."""
        passing = Passing(until=self.context.at + PASSING)
        scope.put(self._pass, {"_id": PASS, "until": passing.until})
        self.asked.note(scope, "breaker", "passing")
        return Stored(200, passing.model_dump_json().encode())


async def seconds_left(store: Store, clock: Clock) -> float:
    """For how long an operator lets pass what fails; 0 where nobody said so, or cannot be asked."""
    try:
        ordered = await store.get(COLLECTION, PASS)
    except StoreError:
        return 0.0
    return (ordered["until"] - clock.now()).total_seconds() if ordered else 0.0


def tried(outcomes: Mapping[Work, Any]) -> list[tuple[str, bool]]:
    """The key of each event that was given to its handler, and whether that failed."""
    return [
        (work.record.topic + "/" + work.key, outcome == FAILED)
        for work, outcome in outcomes.items()
        if isinstance(work, Arrival) and outcome in (FAILED, APPLIED)
    ]


def _too_many(failed: list[str]) -> bool:
    return len(failed) > WINDOW // 2 and len(set(failed)) > KEYS
