"""What `telar verify` says of keys that wait."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from cli.operator import findings
from cli.operator.api import Api, Denied, short
from cli.operator.findings import Finding
from cli.operator.positions import NOWHERE, Place, place


def parked(api: Api, name: str, settle: float) -> Iterator[Finding]:
    """The keys that wait for somebody. A gap may close by itself, unless it is there for a while.

    Where publishers stand is asked after the events of forks were seen: what they gave is known.
    """
    forks = []
    for whole in _staying(api, name, settle):
        if whole["reason"] == "fork":
            forks.append(whole)
        else:
            yield findings.parked(name, whole)
    there = _places(api, forks)
    for whole in forks:
        yield findings.parked(name, whole, there.get((whole["topic"], whole["key"]), NOWHERE))


def _staying(api: Api, name: str, settle: float) -> Iterator[Any]:
    first = list(api.items(f"{name}/parked"))
    if any(one["reason"] == "gap" for one in first):
        time.sleep(settle)
    for one in api.items(f"{name}/parked") if first else ():
        same = {"topic": one["topic"], "key": one["key"]}
        stays = one["reason"] != "gap" or any(same.items() <= other.items() for other in first)
        if stays and (whole := _still_parked(api, name, same)):
            yield whole


def _still_parked(api: Api, name: str, named: dict[str, str]) -> Any:
    """The key with all that is known of it; None when it was released meanwhile."""
    try:
        return api.get(f"{name}/parked/one", **named)
    except Denied as denied:
        if denied.code != "parked-unknown":
            raise
        return None


def _places(api: Api, forks: Iterable[Any]) -> dict[tuple[str, str], Place]:
    """Where each key stands at the publisher of its topic: a walk a topic, however many forks."""
    keys = defaultdict[str, set[str]](set)
    for one in forks:
        keys[one["topic"]].add(one["key"])
    return {
        (topic, row["key"]): place(row["out"])
        for topic, wanted in keys.items()
        for row in api.items(f"{short(topic)}/streams")
        if row["key"] in wanted
    }
