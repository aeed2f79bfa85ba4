"""Which service answers a path: a tree of segments, made once from the services' documents."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class Target:
    """A route: the service behind it, and its path as a template (for metrics)."""

    service: str
    method: str
    path: str


@dataclass(slots=True)
class _Node:
    literals: dict[str, "_Node"] = field(default_factory=dict)
    any: "_Node | None" = None
    targets: dict[str, Target] = field(default_factory=dict)


class Table:
    """All routes of all services. Raises `ValueError` when two claim the same."""

    def __init__(self, documents: Mapping[str, Mapping[str, Any]]) -> None:
        self._root = _Node()
        for service, document in documents.items():
            for path, operations in document["paths"].items():
                for method in METHODS:
                    if method.lower() in operations:
                        self._add(Target(service, method, path))

    def find(self, path: str) -> Mapping[str, Target]:
        """The routes of this path by method; empty when there are none."""
        node = _walk(self._root, path.split("/")[1:], 0)
        return node.targets if node else {}

    def _add(self, target: Target) -> None:
        node = self._root
        for segment in target.path.split("/")[1:]:
            if segment.startswith("{"):
                node.any = node.any or _Node()
                node = node.any
            else:
                node = node.literals.setdefault(segment, _Node())
        other = node.targets.setdefault(target.method, target)
        if other is not target:
            raise ValueError(
                f"{target.method} {target.path} of {target.service} is also {other.service}'s"
            )


def _walk(node: _Node, segments: list[str], at: int) -> _Node | None:
    if at == len(segments):
        return node if node.targets else None
    segment = segments[at]
    for child in _children(node, segment):
        if (found := _walk(child, segments, at + 1)) is not None:
            return found
    return None


def _children(node: _Node, segment: str) -> Iterator[_Node]:
    if segment in node.literals:
        yield node.literals[segment]
    if node.any is not None and segment not in ("", ".", ".."):
        yield node.any
