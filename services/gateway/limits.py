"""How often one caller may ask: a token bucket each, in bounded memory."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from shared.chassis.errors import Problem

MAX_CALLERS = 10_000
"""The least recently seen is forgotten first: its bucket would be the fullest."""


class Limits:
    """Buckets that hold `burst` requests and fill again at `rate` a second."""

    def __init__(
        self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> None:
        """One request more. Raises `Problem` 429, with the seconds until the next is possible."""
        now = self._clock()
        left, at = self._buckets.pop(caller, (float(self._burst), now))
        left = min(left + (now - at) * self._rate, self._burst)
        allowed = left >= 1
        self._buckets[caller] = (left - 1 if allowed else left, now)
        if len(self._buckets) > MAX_CALLERS:
            self._buckets.popitem(last=False)
        if not allowed:
            wait = math.ceil((1 - left) / self._rate)
            raise Problem(429, "rate-limited", headers={"retry-after": str(max(wait, 1))})

    def __len__(self) -> int:
        return len(self._buckets)
