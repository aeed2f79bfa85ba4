"""What one seed is: its loop, its dice, and clocks and ids that come from them alone.

`install` puts them under every module of `shared.chassis`: time, random numbers and UUIDs.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import structlog
import uuid_utils

from tests.faults.sim.loop import PROCESS, VirtualLoop

EPOCH = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()


class World:
    """The dice, the clock and the tallies of one seed."""

    def __init__(self, seed: int, *, trace: bool = False) -> None:
        self.seed = seed
        self.loop = VirtualLoop()
        self.dice = random.Random(seed)
        self.core_dice = random.Random(seed + 1)
        self.is_traced = trace
        self.made: Counter[str] = Counter()
        self.struck: Counter[str] = Counter()
        """Of the faults made, those that took effect on somebody: each once."""
        self.observed: Counter[str] = Counter()
        """Single effects: one fault may have hundreds, as an outage has on every call."""
        self.wrong: list[tuple[str, str]] = []

    def trace(self, text: Callable[[], str]) -> None:
        """One line of what happened, if somebody wants to read it."""
        if self.is_traced:
            process = PROCESS.get()
            name = process.name if process else "-"
            sys.stdout.write(f"{self.loop.now:9.3f} {name:<8} {text()}\n")

    def happened(self, kind: str, count: int = 1) -> None:
        """A fault of this kind took effect on somebody."""
        self.observed[kind] += count


class Now:
    """The world of the seed that runs."""

    world: World


def _machine_time() -> float:
    """What the clock of this process's machine says."""
    process = PROCESS.get()
    return EPOCH + Now.world.loop.now + (process.skew if process else 0.0)


class Times(ModuleType):
    """`time` as the core sees it."""

    def time(self) -> float:
        return _machine_time()

    def monotonic(self) -> float:
        return Now.world.loop.now

    def perf_counter(self) -> float:
        return Now.world.loop.now


class Randoms(ModuleType):
    """`random` as the core sees it."""

    def random(self) -> float:
        return Now.world.core_dice.random()


class Uuids(ModuleType):
    """`uuid_utils` as the core sees it: an id is of its machine's time, right or wrong."""

    def uuid7(self) -> str:
        millis = int(_machine_time() * 1000)
        rest = Now.world.core_dice.getrandbits(74)
        return (
            f"{millis >> 16:08x}-{millis & 0xFFFF:04x}-7{rest >> 62:03x}"
            f"-{0x8000 | (rest >> 48 & 0x3FFF):04x}-{rest & 0xFFFFFFFFFFFF:012x}"
        )


def _token_bytes(count: int) -> bytes:
    return Now.world.core_dice.randbytes(count)


_REPLACED: dict[str, tuple[ModuleType, ModuleType]] = {
    "time": (time, Times("time")),
    "random": (random, Randoms("random")),
    "uuid_utils": (uuid_utils, Uuids("uuid_utils")),
}


def install() -> None:
    """Give every loaded module of the chassis the world's clock, dice and ids; silence its log."""
    for name, module in list(sys.modules.items()):
        if name.startswith("shared.chassis"):
            _equip(module)
    structlog.configure(processors=[_log], cache_logger_on_first_use=True)


def _equip(module: ModuleType) -> None:
    for attribute, (real, double) in _REPLACED.items():
        if vars(module).get(attribute) is real:
            setattr(module, attribute, double)
    if "token_bytes" in vars(module):
        vars(module)["token_bytes"] = _token_bytes


def _log(_logger: Any, _method: str, event: Any) -> Any:
    if Now.world.is_traced:
        said = {name: value for name, value in event.items() if name not in ("event", "exc_info")}
        Now.world.trace(lambda: f"  log {event['event']} {said}")
        if event.get("exc_info"):
            import traceback

            traceback.print_exc(file=sys.stdout)
    raise structlog.DropEvent
