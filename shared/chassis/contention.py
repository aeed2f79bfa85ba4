"""Who is in whose way: intents that must run alone, and how those end that cannot go on.

After a conflict a group is tried again, then in parts, until whoever named the contended document
is alone. If another process is still in its way it waits aside, and the rest goes on.
"""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

import structlog

from shared.chassis import logging
from shared.chassis.batch import Ref, by_collection
from shared.chassis.breaker import BreakerOpen
from shared.chassis.errors import Problem
from shared.chassis.ports import Store, UniqueViolated
from shared.chassis.work import Arrival, Work
from shared.model import Refused

AT_ONCE = 2
"""So often a group is tried as it is, before it is parted or put aside."""

A_TURN = 20
"""So many of those aside are tried between two batches: neither kind starves the other."""

log = structlog.get_logger("telar.writer")

_SHORTEST, _LONGEST, _LONGEST_IN_PLACE = 0.004, 0.5, 0.1


def pause(tries: int, longest: float = _LONGEST) -> float:
    """Seconds until the next attempt: doubling, and never the same in two processes."""
    return min(longest, _SHORTEST * 2**tries) * (0.5 + random.random())  # noqa: S311


@dataclass(slots=True)
class Group:
    """Intents that are committed together, how long that is tried, and how often it was."""

    works: list[Work]
    until: float
    tries: int = 0
    again: float = 0.0
    with_care: bool = False
    """Whether each intent has to show that what it made can be written."""


class Aside:
    """Groups in whose way another process is: each waits for its turn, as long as it has time."""

    def __init__(self) -> None:
        self._groups: list[Group] = []

    def put(self, group: Group) -> None:
        """Try it again later, and a last time when its time is over."""
        group.again = min(asyncio.get_running_loop().time() + pause(group.tries), group.until)
        self._groups.append(group)

    def ready(self) -> list[Group]:
        """Those whose turn has come, the earliest first; what was answered meanwhile is left."""
        now = asyncio.get_running_loop().time()
        self._groups.sort(key=lambda one: one.again)
        turn = [one for one in self._groups[:A_TURN] if one.again <= now]
        self._groups = self._groups[len(turn) :]
        for one in turn:
            one.works = [work for work in one.works if not work.future.done()]
        return [one for one in turn if one.works]

    @property
    def soonest(self) -> float | None:
        """When, by the loop's clock, the next turn comes."""
        return min((one.again for one in self._groups), default=None)

    def works(self) -> list[Work]:
        """All that wait here."""
        return [work for one in self._groups for work in one.works]


def is_one(works: list[Work]) -> bool:
    """Whether nothing can be parted: one intent, or the events of one key, which have an order."""
    keys = {work.key if isinstance(work, Arrival) else None for work in works}
    return len(works) == 1 or (len(keys) == 1 and None not in keys)


def with_later(works: list[Work], groups: deque[list[Work]]) -> list[Work]:
    """These, and the later events of their key, which would find a gap: out of what is to come."""
    keys = {work.key for work in works if isinstance(work, Arrival)}

    def is_later(work: Work) -> bool:
        return isinstance(work, Arrival) and work.key in keys

    later = [work for group in groups for work in group if is_later(work)]
    for place, group in enumerate(groups if later else ()):
        groups[place] = [work for work in group if not is_later(work)]
    return [*works, *later]


async def parted(store: Store, works: list[Work], seen: dict[Ref, int | None]) -> list[list[Work]]:
    """Whoever named a document that has another version now alone, the rest together; or halves."""
    hot = closure(works, await _changed(store, seen))
    if not hot or len(hot) == len(works):
        middle = len(works) // 2
        return [works[:middle], works[middle:]]
    return [[work for work in works if work not in hot], *[[work] for work in hot]]


async def in_place(tries: int) -> None:
    """Let the other process finish; everybody waits for this, so it is short."""
    await asyncio.sleep(pause(tries, _LONGEST_IN_PLACE))


async def _changed(store: Store, seen: dict[Ref, int | None]) -> set[Ref]:
    """Which of the documents loaded last time have another version now."""
    async with store.snapshot() as snapshot:
        loaded = await snapshot.load(by_collection(seen))
    now = {ref: loaded.get(ref.collection, {}).get(ref.id, {}).get("version") for ref in seen}
    return {ref for ref, version in seen.items() if now[ref] != version}


def closure(group: list[Work], contended: set[Ref]) -> list[Work]:
    """Whoever named a contended document, and the later events of the same keys."""
    hot: list[Work] = []
    keys: set[Ref] = set()
    for work in group:
        if work.named & contended or (isinstance(work, Arrival) and work.named & keys):
            hot.append(work)
            if isinstance(work, Arrival):
                keys |= {ref for ref in work.named if ref.collection == "streams"}
    return hot


def isolate(group: list[Work], violated: UniqueViolated) -> list[list[Work]]:
    """Run alone whoever touched the document that an index refused; nothing when it is alone."""
    touched = [work for work in group if _named(work, violated)] or group
    if len(group) == 1:
        return []
    rest = [work for work in group if work not in touched]
    return [part for part in [rest, *[[work] for work in touched]] if part]


def refusal_code(work: Work, violated: UniqueViolated) -> str | None:
    """What the violated index means in the words of the aggregate."""
    kinds = [ref.kind for ref in _named(work, violated) if ref.kind is not None]
    return kinds[0].unique.get(violated.index) if kinds else None


def _named(work: Work, violated: UniqueViolated) -> list[Ref]:
    place = (violated.collection, violated.doc_id)
    return [ref for ref in work.named if (ref.collection, ref.id) == place]


def without_culprits(group: list[Work], error: BreakerOpen | UniqueViolated) -> list[list[Work]]:
    """What goes on, in parts, when some of a group cannot; those are answered."""
    if isinstance(error, UniqueViolated):
        parts = isolate(group, error)
        return parts or _refused(group[0], error)
    fail_all((work for work in group if isinstance(work, Arrival)), error)
    return [[work for work in group if not isinstance(work, Arrival)]]


def _refused(work: Work, violated: UniqueViolated) -> list[list[Work]]:
    """Whoever waits is told; an event has failed in its handler, and goes on so."""
    code = refusal_code(work, violated)
    error = Refused(code) if code else violated
    if _fails(work, error):
        return [[work]]
    fail(work, error)
    return []


def sorted_out(group: Group, error: Exception) -> list[Group]:
    """How to go on after an error that is no answer to any of these: find out whose it is.

    First with care; then in halves, down to one. An event has failed then and parks its key, and
    whoever waits for another intent is told that something is broken.
    """
    works = [work for work in group.works if not work.future.done()]
    kind, where = type(error).__name__, logging.place(error)
    log.warning(
        "batch.failed", intents=len(works), with_care=group.with_care, error=kind, where=where
    )
    middle = len(works) // 2
    if works and not group.with_care:
        return [replace(group, works=works, with_care=True)]
    if middle:
        return [replace(group, works=part) for part in (works[:middle], works[middle:])]
    if works and _fails(works[0], error):
        return [replace(group, works=works)]
    log.error("intent.failed", exc_info=error)
    fail_all(works, Problem(500, "internal-error"))
    return []


def _fails(work: Work, error: Exception) -> bool:
    """Let an event count as failed in its handler; False if it does already, or is none."""
    mine = work.application if isinstance(work, Arrival) else None
    if mine is None or isinstance(mine.steps, Exception):
        return False
    mine.steps, mine.refs = error, ()
    return True


def is_read_again(work: Work) -> bool:
    """Whether something read before it could not be written: then both are read again."""
    return isinstance(work, Arrival) and work.reading.is_broken


def fail(work: Work, error: Exception) -> None:
    """This is how it ended, unless it has ended."""
    if isinstance(work, Arrival):
        work.reading.is_broken = True
    if not work.future.done():
        work.future.set_exception(error)
        with contextlib.suppress(Exception):
            work.future.exception()  # seen: a caller that went away is no leak


def fail_all(works: Iterable[Work], error: Exception) -> None:
    """This is how all of them ended that have not."""
    for work in works:
        fail(work, error)
