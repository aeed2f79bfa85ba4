"""Documents as MongoDB keeps and compares them, as far as the ports promise anything."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import product
from typing import Any

from shared.chassis.ports import Document, Index

_BITS = 63


def stored(value: Any) -> Any:
    """A copy as it would come back: lists for tuples, instants in UTC to the millisecond."""
    if isinstance(value, dict):
        return {_field(name): _kept(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_kept(inner) for inner in value]
    if isinstance(value, datetime):
        whole = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        return whole.replace(microsecond=whole.microsecond // 1000 * 1000)
    if isinstance(value, int) and value.bit_length() > _BITS:
        raise ValueError("an integer of more than 64 bits")
    if isinstance(value, str):
        value.encode()  # a lone surrogate cannot be stored
        return str.__str__(value)
    if value is None or isinstance(value, (bool, int, float, bytes)):
        return value
    if isinstance(value, Mapping):
        return stored(dict(value))
    raise ValueError(f"a {type(value).__name__} cannot be stored")


def _kept(value: Any) -> Any:
    """`stored`; most values are kept as they are."""
    kind = type(value)
    is_plain = (
        kind in _PLAIN
        or (kind is str and value.isascii())
        or (kind is int and value.bit_length() <= _BITS)
    )
    return value if is_plain else stored(value)


_PLAIN = (type(None), bool, float, bytes)


@lru_cache(1000)
def _field(name: Any) -> str:
    if not isinstance(name, str) or "." in name or name.startswith("$") or "\0" in name:
        raise ValueError("a field name that is no name")
    return name


def at(document: Any, path: str) -> Iterator[Any]:
    """Every value under a dotted path; lists on the way are looked into."""
    head, _, rest = path.partition(".")
    if isinstance(document, list):
        for inner in document:
            yield from at(inner, path)
    elif isinstance(document, Mapping) and head in document:
        if rest:
            yield from at(document[head], rest)
        else:
            yield document[head]


def has(document: Document, path: str) -> bool:
    """Whether the field exists, null or not."""
    return any(True for _ in at(document, path))


def shown_of(value: Any, paths: Sequence[str]) -> Any:
    """Of a document, or of each in a list, what is under these dotted paths."""
    if isinstance(value, list):
        return [shown_of(inner, paths) for inner in value if isinstance(inner, (Mapping, list))]
    kept, inner = dict[str, Any](), dict[str, list[str]]()
    for path in paths:
        head, _, rest = path.partition(".")
        if rest:
            inner.setdefault(head, []).append(rest)
        elif head in value:
            kept[head] = value[head]
    for head, rests in inner.items():
        if isinstance(value.get(head), (Mapping, list)):
            kept[head] = shown_of(value[head], rests)
    return kept


def matches(document: Document, where: Mapping[str, Any]) -> bool:
    """Whether every field equals, or is a list that contains, what is asked; missing is null."""
    return all(_equals(document, path, _asked(wanted)) for path, wanted in where.items())


def _asked(wanted: Any) -> Any:
    """A mapping is compared as it is: no document can hold an operator."""
    return wanted if isinstance(wanted, Mapping) else stored(wanted)


def _equals(document: Document, path: str, wanted: Any) -> bool:
    found = list(at(document, path))
    if not found:
        return wanted is None
    return any(
        _same(value, wanted)
        or (isinstance(value, list) and any(_same(inner, wanted) for inner in value))
        for value in found
    )


def _same(left: Any, right: Any) -> bool:
    """1 is 1.0 but not True."""
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def order(document: Document, sort: str) -> tuple[bool, Any, str]:
    """What documents are ordered by: null first, then the value, then the id."""
    value = next(at(document, sort), None)
    return value is not None, value, document["_id"]


def unique_keys(document: Document, index: Index) -> set[tuple[Any, ...]]:
    """The entries of a document in a unique index; none if the index is partial and not for it."""
    if index.only is not None and not has(document, index.only):
        return set()
    columns = [_entries(document, field) for field in index.fields]
    return set(product(*columns))


def _entries(document: Document, path: str) -> list[Any]:
    found = list(at(document, path))
    flat = [inner for value in found for inner in (value if isinstance(value, list) else [value])]
    return [_hashable(value) for value in flat] or [None]


def _hashable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return tuple((name, _hashable(inner)) for name, inner in value.items())
    if isinstance(value, list):
        return tuple(_hashable(inner) for inner in value)
    return (isinstance(value, bool), value)
