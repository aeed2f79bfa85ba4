"""Numbers of a stream as ranges: a long stream without a hole is one."""

from collections.abc import Iterable

Range = tuple[int, int]
"""The first and the last number of a row without a hole."""


def merged(ranges: Iterable[Range]) -> list[Range]:
    """The same numbers in order, in as few ranges as can be."""
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return found


def is_within(number: int, ranges: Iterable[Range]) -> bool:
    """Whether one of these ranges has this number."""
    return any(first <= number <= last for first, last in ranges)
