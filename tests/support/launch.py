"""Starts a service in changed surroundings: python -m tests.support.launch SERVICE.

TESTS_SESSION  seconds after which a silent member is put out of its group
TESTS_CLOCK    a file with the seconds by which this machine's clock is off, read at every look;
               ids that carry a time are off by as much
TESTS_BUG      a file; while it is there, handlers fail on facts of keys that begin with `bug-`
TESTS_BROKEN   a file; while it is there, every handler fails on every fact
"""

import os
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uuid_utils


def main() -> None:
    """Change what the variables say, then run the service as it is."""
    if session := os.environ.get("TESTS_SESSION"):
        _session(float(session))
    if clock := os.environ.get("TESTS_CLOCK"):
        _clock(Path(clock))
    bug, broken = os.environ.get("TESTS_BUG"), os.environ.get("TESTS_BROKEN")
    if bug or broken:
        _handlers(Path(bug or "/none"), Path(broken or "/none"))
    runpy.run_module(f"services.{sys.argv[1]}", run_name="__main__", alter_sys=True)


def _session(seconds: float) -> None:
    from shared.chassis.kafka import KafkaBus

    begin: Callable[..., None] = KafkaBus.__init__

    def shorter(self: KafkaBus, *places: Any, **more: Any) -> None:
        begin(self, *places, **{**more, "session": seconds})

    KafkaBus.__init__ = shorter  # type: ignore[assignment]


def _clock(file: Path) -> None:
    true: Callable[[], float] = time.time

    def skewed() -> float:
        try:
            return true() + float(file.read_text() or 0)
        except (OSError, ValueError):
            return true()

    make = uuid_utils.uuid7

    def dated(*, nanoseconds: int | None = None) -> uuid_utils.UUID:
        return make(nanoseconds=nanoseconds or int(skewed() * 1e9))

    time.time, uuid_utils.uuid7 = skewed, dated


def _handlers(bug: Path, broken: Path) -> None:
    from shared import model

    call = model.Handler.__call__

    def failing(
        self: model.Handler, event: model.Event, fact_of: Callable[[], model.Fact]
    ) -> list[model.Step]:
        fact = fact_of()
        is_poisoned = fact.key.startswith("bug-") and bug.exists()
        if fact.topic and (is_poisoned or broken.exists()):
            raise ZeroDivisionError
        return call(self, event, fact_of)

    model.Handler.__call__ = failing  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
