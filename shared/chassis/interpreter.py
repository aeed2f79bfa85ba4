"""Python's own settings, as a service has them."""

import gc
import sys

_OBJECTS = 20_000
_SWITCH_SECONDS = 0.0005


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
