"""Python's garbage collector, as a service has it, and everything that one is measured against."""

import gc

_OBJECTS = 20_000


def settle() -> None:
    """Spare the collector what is in vain: at its defaults it took a quarter of a service's time.

    What is there now stays. What comes later is nearly all freed without it, since little of it
    refers to itself: it looks every 20,000 objects, not every 700.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS)
