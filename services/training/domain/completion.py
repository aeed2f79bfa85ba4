"""The completion rule: what it asks of a seat, leaf by leaf, each with what was seen."""

from typing import Literal

from services.training.domain.cohorts import Terms
from shared.events.training import AttendanceState
from shared.model import Frozen
from shared.types import Code, Count, PositiveCount


class Attendance(Frozen):
    """What one session saw of her."""

    session: PositiveCount
    state: AttendanceState
    source: Code


class CompletionLeaf(Frozen):
    """One condition: what it comes to, what was seen, and what is needed."""

    code: Code
    result: Literal["met", "unmet", "unknown"]
    seen: Count
    needed: Count


def assess(terms: Terms, attendance: tuple[Attendance, ...]) -> tuple[CompletionLeaf, ...]:
    """Every session is on record, and she was at enough of those that count for her.

    An excused session leaves the count on both sides. What is not on record yet is unknown, unless
    the share is safe or out of reach whatever it says.
    """
    seen = len(attendance)
    present = sum(one.state == "present" for one in attendance)
    counted = terms.sessions - sum(one.state == "excused" for one in attendance)
    needed = max(1, -(-counted * terms.rule.min_attendance // 100))  # rounded up: never below it
    return (
        CompletionLeaf(
            code="completion-attendance-recorded",
            result="met" if seen == terms.sessions else "unknown",
            seen=seen,
            needed=terms.sessions,
        ),
        CompletionLeaf(
            code="completion-attendance-share",
            result=_share(present, needed, terms.sessions - seen),
            seen=present,
            needed=needed,
        ),
    )


def _share(present: int, needed: int, still_open: int) -> Literal["met", "unmet", "unknown"]:
    if present >= needed:
        return "met"
    return "unmet" if still_open == 0 else "unknown"
