"""Python's own settings, and those of the C library beneath it, as a service has them."""

import ctypes
import gc
import sys
from contextlib import suppress

_OBJECTS = 20_000
_SWITCH_SECONDS = 0.0005
_M_ARENA_MAX = -8
"""The name that `mallopt` of GNU's C library has for it."""


def spare_the_collector() -> None:
    """Spare it what is in vain: at its defaults it took a quarter of a service's time.

    What is there now stays. What comes later is nearly all freed without it, since little of it
    refers to itself: it looks every 20,000 objects, not every 700.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS)


def hand_over_soon() -> None:
    """Let a thread that has an answer go on soon.

    While the loop folds a batch, a thread writes the one before it, and waits at each answer of
    MongoDB for the loop to let it go on: half a millisecond, where Python's default is five.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)


def share_one_heap() -> None:
    """Let all threads allocate from one heap. GNU's C library gives each a heap of its own.

    Each of those grows to the largest answer that its thread ever read, and any thread may read
    the next large one: with a dozen threads a service grew for hours. They take turns anyway.
    """
    with suppress(OSError, AttributeError):  # another C library has one heap, or other means
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
