"""Where every stream stands at its publisher and at each subscriber, walked side by side by key."""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

from cli.operator.api import short


class Place(NamedTuple):
    """The last number of a stream, and the hash of that event."""

    sequence: int
    digest: str


@dataclass(frozen=True)
class Difference:
    """A subscriber that is not where its publisher is."""

    service: str
    topic: str
    key: str
    there: Place
    here: Place

    @property
    def is_fork(self) -> bool:
        """The same number, another event."""
        return self.there.sequence == self.here.sequence

    @property
    def is_late(self) -> bool:
        """It has not applied everything."""
        return self.here.sequence < self.there.sequence


NOWHERE = Place(0, "")
Row = dict[str, Any]
Subscriptions = dict[str, set[str]]
"""The topics of each service, by short name."""


def differences(
    streams: Mapping[str, Iterable[Row]], subscriptions: Subscriptions
) -> Iterator[Difference]:
    """Compare each key's head with the position of everybody who must have applied it."""
    walks = [_named(service, rows) for service, rows in streams.items()]
    merged = heapq.merge(*walks, key=lambda one: one[0])
    for key, group in groupby(merged, key=lambda one: one[0]):
        yield from _of_key(key, {service: row for _, service, row in group}, subscriptions)


def _named(service: str, rows: Iterable[Row]) -> Iterator[tuple[str, str, Row]]:
    for row in rows:
        yield row["key"], service, row


def _of_key(key: str, rows: dict[str, Row], subscriptions: Subscriptions) -> Iterator[Difference]:
    for service, topics in subscriptions.items():
        applied = {short(topic): place for topic, place in _applied(rows.get(service)).items()}
        for topic in sorted(topics | applied.keys()):
            there = place((rows.get(topic) or {}).get("out"))
            here = place(applied.get(topic))
            parked = topic in map(short, (rows.get(service) or {}).get("parked", ()))
            if there != here and not parked:
                yield Difference(service, topic, key, there, here)


def _applied(row: Row | None) -> dict[str, Any]:
    found: dict[str, Any] = row["applied"] if row else {}
    return found


def place(found: Any) -> Place:
    """A place as a service tells it, if it has one; the one before the first event is none."""
    return Place(int(found[0]), str(found[1])) if found and found[0] else NOWHERE


def standing(first: Iterable[Difference], second: Iterable[Difference]) -> list[Difference]:
    """Those of the first walk that a later one finds where they were: nothing is on its way.

    A publisher and its subscribers are read one after the other, so with traffic going on
    a difference means nothing by itself.
    """
    later = {(one.service, one.topic, one.key): one for one in second}
    found = []
    for one in first:
        again = later.get((one.service, one.topic, one.key))
        if again is not None and again.here == one.here and _is_same_kind(one, again):
            found.append(again)
    return found


def _is_same_kind(one: Difference, again: Difference) -> bool:
    if one.here.sequence > one.there.sequence:
        return again.here.sequence > again.there.sequence and one.there == again.there
    return again.here.sequence <= again.there.sequence
