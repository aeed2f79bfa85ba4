"""Who is in whose way: intents that must run alone, and how those end that cannot go on."""

import contextlib
from collections.abc import Iterable

from shared.chassis.breaker import BreakerOpen
from shared.chassis.fold import Ref
from shared.chassis.ports import UniqueViolated
from shared.chassis.work import Arrival, Work
from shared.model import Refused


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
    touched = [work for work in group if _named(work, violated)]
    if len(group) == 1 or not touched:
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
        if not parts:
            _refuse(group, error)
        return parts
    fail_all((work for work in group if isinstance(work, Arrival)), error)
    return [[work for work in group if not isinstance(work, Arrival)]]


def _refuse(group: list[Work], violated: UniqueViolated) -> None:
    for work in group:
        code = refusal_code(work, violated)
        fail(work, Refused(code) if code else violated)


def fail(work: Work, error: Exception) -> None:
    """This is how it ended, unless it has ended."""
    if not work.future.done():
        work.future.set_exception(error)
        with contextlib.suppress(Exception):
            work.future.exception()  # seen: a caller that went away is no leak


def fail_all(works: Iterable[Work], error: Exception) -> None:
    """This is how all of them ended that have not."""
    for work in works:
        fail(work, error)
