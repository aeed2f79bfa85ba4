"""A run that is told to stop cleans up behind itself: what it mounted, wrote and started."""

import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import active_children, get_context

from deploy.local.processes import die_orphaned


def stops_when_told() -> None:
    """SIGTERM ends this process as Ctrl-C does: every `finally` runs.

    Also in the background of a shell, which lets its children ignore SIGINT.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))


@contextmanager
def workers(count: int, tasks: int | None = None) -> Iterator[ProcessPoolExecutor]:
    """Processes of their own, for so many tasks each; none outlives the block, however it ends."""
    spawn = get_context("spawn")
    # Orphaned they die too: who is killed can end nobody.
    dies = {"initializer": die_orphaned, "initargs": (signal.SIGKILL,)}
    pool = ProcessPoolExecutor(count, spawn, max_tasks_per_child=tasks, **dies)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for one in active_children():
            one.terminate()
        raise
    finally:
        pool.shutdown()
