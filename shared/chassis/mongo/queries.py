"""What is asked of MongoDB and what it says, as documents."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.chassis.ports import Conflict, Document, Drop, Index, StoreError, UniqueViolated, Write

Query = dict[str, Any]

LISTS = {"delete": "deletes", "update": "updates", "insert": "documents"}
"""What a command calls the list of what it is to do."""

_VERBS = list(LISTS)

WRITE_CONFLICT, NAMESPACE_EXISTS, NO_MAJORITY_YET = 112, 48, 134
RUN_AGAIN = {WRITE_CONFLICT, 239, 246}
"""Also where a snapshot is too old, or older than a collection that is read from it."""

_DUPLICATE_KEY = 11000


def equal(where: Mapping[str, Any]) -> Query:
    """Fields that equal these values, which are never read as operators."""
    return {field: {"$eq": value} for field, value in where.items()}


def together(wanted: Mapping[str, Sequence[str]]) -> list[Query]:
    """Documents of several collections by their ids: `of` says of which, `is` the document is.

    It is asked of the first of the collections.
    """
    first, *others = wanted.items()
    unions = [{"$unionWith": {"coll": name, "pipeline": _among(name, ids)}} for name, ids in others]
    return [*_among(*first), *unions]


def _among(name: str, ids: Sequence[str]) -> list[Query]:
    named = {"_id": 0, "of": {"$literal": name}, "is": "$$ROOT"}
    return [{"$match": {"_id": {"$in": list(ids)}}}, {"$project": named}]


def beyond(sort: str, after: tuple[Any, str] | None) -> Query:
    """What comes later by (sort, _id); null comes first."""
    if after is None:
        return {}
    value, doc_id = after
    if sort == "_id":
        return {"_id": {"$gt": doc_id}}
    later: Query = {"$gt": value} if value is not None else {"$ne": None}
    return {"$or": [{sort: later}, {sort: {"$eq": value}, "_id": {"$gt": doc_id}}]}


def order(field: str) -> list[tuple[str, int]]:
    """By the field, and by `_id` where it is the same."""
    return [("_id", 1)] if field == "_id" else [(field, 1), ("_id", 1)]


def stretch(topic: str, key: str, first: int, last: int, limit: int) -> list[Query]:
    """The events of the outbox in one stretch of a stream, by sequence."""
    event: Query = {"topic": topic, "key": key, "sequence": {"$gte": first, "$lte": last}}
    return [
        {"$match": {"events": {"$elemMatch": event}}},
        {"$unwind": "$events"},
        {"$match": {f"events.{field}": value for field, value in event.items()}},
        {"$sort": {"events.sequence": 1}},
        {"$limit": limit},
        {"$replaceRoot": {"newRoot": "$events"}},
    ]


def total(part: str) -> list[Query]:
    """The sum of the last numbers in `streams`, by topic."""
    number = {"$arrayElemAt": ["$place.v", 0]}
    return [
        {"$project": {"place": {"$objectToArray": f"${part}"}}},
        {"$unwind": "$place"},
        {"$group": {"_id": "$place.k", "sum": {"$sum": number}}},
    ]


def sums(rows: list[Document]) -> dict[str, int]:
    """What `total` found."""
    return {row["_id"]: int(row["sum"]) for row in rows}


def options(index: Index) -> Query:
    """What makes an index unique, partial or expiring."""
    chosen: Query = {"name": index.name, "unique": index.unique}
    if index.only is not None:
        chosen["partialFilterExpression"] = {index.only: {"$exists": True}}
    if index.expires:
        chosen["expireAfterSeconds"] = 0
    return chosen


def bulks(writes: Sequence[Write]) -> dict[str, list[Write]]:
    """Writes by collection, one kind after another: as few messages as can be."""
    by_collection: dict[str, list[Write]] = {}
    for write in sorted(writes, key=_rank):
        by_collection.setdefault(write.collection, []).append(write)
    return by_collection


def _rank(write: Write) -> int:
    """Drops first, since they free entries of unique indexes."""
    return _VERBS.index(verb(write))


def verb(write: Write) -> str:
    """The command that does it."""
    if isinstance(write, Drop):
        return "delete"
    return "update" if write.was is not None or not write.versioned else "insert"


def operation(write: Write) -> Document:
    """It as one of the list that the command takes."""
    if isinstance(write, Drop):
        return {"q": {"_id": write.id, "version": write.was}, "limit": 1}
    document = write.document
    if not write.versioned:
        return {"q": {"_id": document["_id"]}, "u": document, "upsert": True}
    if write.was is None:
        return document
    return {"q": {"_id": document["_id"], "version": write.was}, "u": document}


def refused(staged: Sequence[Write], failed: Document) -> StoreError:
    """The first error of a bulk: which document it was, and why."""
    write, code = staged[failed["index"]], failed["code"]
    if code != _DUPLICATE_KEY:
        return Conflict(write.collection) if code == WRITE_CONFLICT else StoreError(f"code {code}")
    fields = list(failed["keyPattern"])
    if isinstance(write, Drop) or fields == ["_id"]:
        return Conflict(f"{write.collection}: already there")
    return UniqueViolated(write.collection, write.document["_id"], "_".join(fields))
