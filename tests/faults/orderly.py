"""A run that is told to stop cleans up behind itself: what it mounted, wrote and started."""

import ctypes
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context

_PR_SET_PDEATHSIG = 1


def stops_when_told() -> None:
    """SIGTERM ends this process as Ctrl-C does: every `finally` runs.

    Also in the background of a shell, which lets its children ignore SIGINT.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


def _dies_with_parent() -> None:
    """Also where that is killed, and can end nobody."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


@contextmanager
def workers(count: int, tasks: int | None = None) -> Iterator[ProcessPoolExecutor]:
    """Processes of their own, for so many tasks each; none outlives the block, however it ends."""
    spawn = get_context("spawn")
    pool = ProcessPoolExecutor(
        count, spawn, initializer=_dies_with_parent, max_tasks_per_child=tasks
    )
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for one in active_children():
            one.terminate()
        raise
    finally:
        pool.shutdown()
