"""What Kafka holds of each topic against the heads of its publisher's streams.

A topic is read in stretches, each an answer of its own, and added up here. With traffic going on
the order matters: the heads are read before the topic to see what it lacks, and after it to see
what it has beyond them.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cli.operator import findings
from cli.operator.api import Api
from cli.operator.findings import Finding
from shared.chassis.ranges import Range, merged


@dataclass
class Kept:
    """The numbers of every key that were read from a topic, and from where to go on."""

    numbers: dict[str, list[Range]] = field(default_factory=dict)
    offsets: str = ""

    def add(self, stretch: dict[str, Any]) -> bool:
        """Add what one answer brings; whether the end was reached."""
        for key, ranges in stretch["numbers"].items():
            new = [(first, last) for first, last in ranges]
            self.numbers[key] = merged([*self.numbers.get(key, ()), *new])
        self.offsets = stretch["offsets"]
        return bool(stretch["at_end"])

    def distinct(self) -> int:
        """How many events: one that stands there twice counts once."""
        return sum(last - first + 1 for ranges in self.numbers.values() for first, last in ranges)

    def lacks(self, heads: dict[str, int]) -> dict[str, int]:
        """By key the first number, up to its head, that was not read."""
        found = {}
        for key, head in heads.items():
            first, last = next(iter(self.numbers.get(key, ())), (0, 0))
            lacking = last + 1 if first == 1 else 1
            if lacking <= head:
                found[key] = lacking
        return found

    def beyond(self, heads: dict[str, int]) -> dict[str, int]:
        """By key the last number that was read, where that is more than its head."""
        tops = ((key, ranges[-1][1]) for key, ranges in self.numbers.items())
        return {key: top for key, top in tops if top > heads.get(key, 0)}


def compared(api: Api, name: str, kept: Kept, settle: float) -> Iterator[Finding]:
    """What one publisher's topic lacks and what it has too much."""
    heads = _heads(api, name)
    _read(api, name, kept)
    if lacking := kept.lacks(heads):
        time.sleep(settle)  # what was just committed is on its way to Kafka
        _read(api, name, kept)
        for key, number in kept.lacks(heads).items():
            if lacking.get(key) == number:
                yield findings.lost(name, key, number, heads[key])
    if kept.beyond(heads):
        heads = _heads(api, name)
        for key, last in kept.beyond(heads).items():
            yield findings.unknown(name, key, last, heads.get(key, 0))


def _read(api: Api, name: str, kept: Kept) -> None:
    while not kept.add(api.get(f"{name}/topic", offsets=kept.offsets or None)):
        pass


def _heads(api: Api, name: str) -> dict[str, int]:
    return {row["key"]: row["out"][0] for row in api.items(f"{name}/streams") if row["out"]}
