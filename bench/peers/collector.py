"""Python's garbage collector, set as in Telar's services: whoever measures must give it to all."""

import gc


def settle() -> None:
    """What is there now stays; what comes is looked through every 20,000 objects, not every 700."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)
