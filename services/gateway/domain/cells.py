"""Small cells: what a table by state does not show, so that nobody finds one woman in it.

A cell is as large as the number of women it is about, however often something happened to them.
"""

from collections.abc import Iterable, Mapping

from services.gateway.domain.people import WOMEN, Counts

SMALL = 5
"""A cell of fewer women is small."""

Shown = dict[str, int | None]
"""Numbers by name; None is not shown."""


def hidden(women: Mapping[str, int]) -> frozenset[str]:
    """The cells of a column that are not shown, by how many women each one is about, if any.

    All small ones; then the next larger ones, until what is hidden is `SMALL` women together, so
    two cells at least: that much, and no single cell, is the total minus what is shown.
    """
    ranked = sorted(women, key=lambda state: (women[state], state))
    end = sum(number < SMALL for number in women.values())
    while 0 < end < len(ranked) and sum(women[one] for one in ranked[:end]) < SMALL:
        end += 1
    return frozenset(ranked[:end])


def shown(rows: Mapping[str, Counts], names: Iterable[str]) -> tuple[dict[str, Shown], Shown]:
    """These columns of every row, and their totals."""
    cells: dict[str, Shown] = {state: {} for state in rows}
    total: Shown = {}
    for name in names:
        column = {state: counts.get(name, 0) for state, counts in rows.items()}
        women = {state: rows[state].get(WOMEN + name, 0) for state in rows if column[state]}
        gone = hidden(women)
        for state, number in column.items():
            cells[state][name] = None if state in gone else number
        are_few = bool(women) and sum(women.values()) < SMALL
        total[name] = None if are_few else sum(column.values())
    return cells, total
