"""Who is in whose way: intents that must run alone after a conflict or a unique index."""

from shared.chassis.fold import Ref
from shared.chassis.ports import UniqueViolated
from shared.chassis.work import Arrival, Work


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
    ref = Ref(violated.collection, violated.doc_id)
    touched = [work for work in group if ref in work.named]
    if len(group) == 1 or not touched:
        return []
    rest = [work for work in group if work not in touched]
    return [part for part in [rest, *[[work] for work in touched]] if part]


def refusal_code(work: Work, violated: UniqueViolated) -> str | None:
    """What the violated index means in the words of the aggregate."""
    ref = Ref(violated.collection, violated.doc_id)
    kinds = [named.kind for named in work.named if named == ref and named.kind is not None]
    return kinds[0].unique.get(violated.index) if kinds else None
