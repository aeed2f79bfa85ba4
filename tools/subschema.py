"""Whether every value that a writer may write is one that a reader takes, with reasons by path.

The asymmetric rule: the *writer is closed* (it writes the fields that it names and no others), the
*reader is open* (it ignores fields that it does not know), whatever the documents say of
`additionalProperties`. Covered is what pydantic makes of our models; a keyword that is not
understood must stay as it is. The answer errs on the safe side: it may doubt, never wave through.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

Schema = dict[str, Any]

_ANYTHING: Schema = {}
_NOTHING: Schema = {"enum": []}
_WORDS = {"$schema", "$id", "$defs", "title", "description", "default", "examples", "deprecated"}
_CHOICES = ("anyOf", "oneOf")
_UNDERSTOOD = {
    *("type", "enum", "const", "pattern", "format", "discriminator", "uniqueItems"),
    *("properties", "required", "additionalProperties", "items", "prefixItems", *_CHOICES),
    *("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
}
_LOW = ("minLength", "minItems", "minProperties")
_HIGH = ("maxLength", "maxItems", "maxProperties")


@dataclass(frozen=True, slots=True)
class Problem:
    """Where a reader would refuse what a writer may write, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Side:
    """A schema with the definitions that its references mean."""

    schema: Schema
    defs: Schema

    def at(self, inner: Any) -> "Side":
        """A part of this schema, references followed."""
        if isinstance(inner, bool):
            return Side(_ANYTHING if inner else _NOTHING, self.defs)
        part: Schema = inner
        while "$ref" in part:
            target = self.defs[part["$ref"].rpartition("/")[2]]
            part = {**target, **{k: v for k, v in part.items() if k != "$ref"}}
        return Side(part, self.defs)

    def get(self, keyword: str, default: Any = None) -> Any:
        """A keyword of this schema."""
        return self.schema.get(keyword, default)


def refused(reader: Schema, writer: Schema) -> list[Problem]:
    """Every place where the reader would refuse something that the writer may write."""
    read, written = Side({}, reader.get("$defs", {})), Side({}, writer.get("$defs", {}))
    return list(_Comparison().value(read.at(reader), written.at(writer), "$"))


class _Comparison:
    def __init__(self) -> None:
        self._inside: set[tuple[int, int]] = set()  # so that a schema may refer to itself

    def value(self, reader: Side, writer: Side, path: str) -> Iterator[Problem]:
        if not reader.schema.keys() - _WORDS:
            return  # the reader takes anything
        pair = (id(reader.get("properties")), id(writer.get("properties")))
        if "properties" not in reader.schema:
            yield from self._alternatives(reader, writer, path)
        elif pair not in self._inside:
            self._inside.add(pair)
            yield from self._alternatives(reader, writer, path)
            self._inside.discard(pair)

    def _alternatives(self, reader: Side, writer: Side, path: str) -> Iterator[Problem]:
        readers = list(_split(reader))
        for one in _split(writer):
            if "enum" in one.schema:
                yield from _values(reader, one, path)
                continue
            found = [list(self._one(each, one, path)) for each in readers]
            if all(found):
                alike = [f for r, f in zip(readers, found, strict=True) if _kind(r) == _kind(one)]
                yield from alike[0] if len(alike) == 1 else _none_takes(readers, one, path)

    def _one(self, reader: Side, writer: Side, path: str) -> Iterator[Problem]:
        yield from _unknown_keywords(reader, writer, path)
        if "enum" in reader.schema:
            yield Problem(path, f"reads only {_listed(reader.get('enum'))}, written is more")
        if not _type_fits(reader, writer):
            yield Problem(path, f"reads {_kind(reader)}, written is {_kind(writer)}")
            return
        yield from _limits(reader, writer, path)
        if _kind(writer) in {"object", "anything"}:
            yield from self._object(reader, writer, path)
        if _kind(writer) in {"array", "anything"}:
            yield from self._array(reader, writer, path)

    def _object(self, reader: Side, writer: Side, path: str) -> Iterator[Problem]:
        fields, written = reader.get("properties", {}), writer.get("properties", {})
        for name in reader.get("required", []):
            if name not in writer.get("required", []):
                yield Problem(f"{path}.{name}", "needed by the reader, may be left out")
        for name in sorted(fields.keys() & written.keys()):
            yield from self.value(
                reader.at(fields[name]), writer.at(written[name]), f"{path}.{name}"
            )
        others = reader.at(_others(reader, closed=False))
        for name in sorted(written.keys() - fields.keys()):
            yield from self.value(others, writer.at(written[name]), f"{path}.{name}")
        rest = _others(writer, closed=True)
        if rest is not False:
            for name, inner in [*fields.items(), ("*", _others(reader, closed=False))]:
                if name not in written:
                    yield from self.value(reader.at(inner), writer.at(rest), f"{path}.{name}")

    def _array(self, reader: Side, writer: Side, path: str) -> Iterator[Problem]:
        places = max(len(side.get("prefixItems", [])) for side in (reader, writer))
        longest = writer.get("maxItems", places + 1)
        for place in range(min(places + 1, longest)):
            inside = f"{path}[]" if place == places else f"{path}[{place}]"
            written = writer.at(_item(writer, place))
            if written.schema != _NOTHING:
                yield from self.value(reader.at(_item(reader, place)), written, inside)


def _split(side: Side) -> Iterator[Side]:
    """The alternatives of a schema: of anyOf and oneOf, of a list of types, `const` as `enum`."""
    for keyword in _CHOICES:
        if keyword in side.schema:
            rest = {k: v for k, v in side.schema.items() if k not in {keyword, "discriminator"}}
            for choice in side.get(keyword):
                yield from _split(side.at({**rest, **side.at(choice).schema}))
            return
    if isinstance(side.get("type"), list):
        for kind in side.get("type"):
            yield Side({**side.schema, "type": kind}, side.defs)
    elif "const" in side.schema:
        yield Side({**side.schema, "enum": [side.get("const")]}, side.defs)
    else:
        yield side


def _values(reader: Side, writer: Side, path: str) -> Iterator[Problem]:
    """Values that are written one by one, each held against the reader."""
    opened = {**_open(reader.schema), "$defs": _open(reader.defs)}
    validator = jsonschema_rs.validator_for(opened)
    lost = [value for value in writer.get("enum") if not validator.is_valid(value)]
    if lost:
        yield Problem(path, f"does not read {_listed(lost)}")


def _open(node: Any) -> Any:
    match node:
        case {"properties": _}:
            kept = {k: v for k, v in node.items() if k != "additionalProperties" or v is not False}
            return {key: _open(value) for key, value in kept.items()}
        case dict():
            return {key: _open(value) for key, value in node.items()}
        case list():
            return [_open(value) for value in node]
    return node


def _unknown_keywords(reader: Side, writer: Side, path: str) -> Iterator[Problem]:
    for keyword in sorted(reader.schema.keys() | writer.schema.keys()):
        known = keyword in _UNDERSTOOD | _WORDS or keyword.startswith("x-")
        if not known and reader.get(keyword) != writer.get(keyword):
            yield Problem(path, f"{keyword} changed, which this check does not understand")


def _none_takes(readers: list[Side], writer: Side, path: str) -> Iterator[Problem]:
    kinds = sorted({_kind(reader) for reader in readers})
    name = writer.get("title") or _kind(writer)
    yield Problem(path, f"no alternative of the reader ({', '.join(kinds)}) takes {name}")


def _kind(side: Side) -> str:
    return str(side.get("type", "anything"))


def _type_fits(reader: Side, writer: Side) -> bool:
    return _kind(reader) in {"anything", _kind(writer)} or (
        (_kind(reader), _kind(writer)) == ("number", "integer")
    )


def _limits(reader: Side, writer: Side, path: str) -> Iterator[Problem]:
    for keyword in ("pattern", "format", "multipleOf"):
        if reader.get(keyword) not in {None, writer.get(keyword)}:
            shown = writer.get(keyword, "none")
            yield Problem(path, f"{keyword} {reader.get(keyword)!r} is read, {shown!r} is written")
    if reader.get("uniqueItems") and not writer.get("uniqueItems"):
        yield Problem(path, "reads only distinct items")
    for keyword in _LOW:
        if reader.get(keyword, 0) > writer.get(keyword, 0):
            yield Problem(path, f"{keyword} {reader.get(keyword)} is more than what is written")
    for keyword in _HIGH:
        limit, reach = reader.get(keyword), writer.get(keyword)
        if limit is not None and (reach is None or reach > limit):
            yield Problem(path, f"{keyword} {limit} is less than what is written")
    yield from _bounds(reader, writer, path)


def _bounds(reader: Side, writer: Side, path: str) -> Iterator[Problem]:
    for keyword, sign in (("Minimum", -1), ("Maximum", 1)):
        limit, reach = _bound(reader, keyword, sign), _bound(writer, keyword, sign)
        if limit is not None and (reach is None or reach > limit):
            yield Problem(path, f"{keyword.lower()} {sign * limit[0]} is passed by what is written")


def _bound(side: Side, keyword: str, sign: int) -> tuple[float, int] | None:
    """How far a number may go in one direction; an open end goes a little less far."""
    step = 1 if _kind(side) == "integer" else 0
    closed, opened = side.get(keyword.lower()), side.get(f"exclusive{keyword}")
    ends = [] if closed is None else [(sign * closed, 0)]
    if opened is not None:
        ends.append((sign * opened - step, 0) if step else (sign * opened, -1))
    return min(ends) if ends else None


def _others(side: Side, *, closed: bool) -> Any:
    """What unnamed fields may hold: a schema, True for anything, False for none at all."""
    rest = side.get("additionalProperties", True)
    if isinstance(rest, dict):
        return rest
    named = "properties" in side.schema
    return not (named or rest is False) if closed else True


def _item(side: Side, place: int) -> Any:
    places = side.get("prefixItems", [])
    return places[place] if place < len(places) else side.get("items", True)


def _listed(values: list[Any]) -> str:
    return ", ".join(repr(value) for value in values)
