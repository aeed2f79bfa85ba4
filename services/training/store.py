"""How training's collections are found: indexes, and filters of lists."""

from shared.chassis.service import Index

INDEXES = [
    Index("courses", "competence"),
    Index("cohorts", "course_id", "language", "state"),
    Index("cohorts", "language", "state"),
    Index("seats", "cohort_id", "status"),
    Index("seats", "person_id", "status", "expires_at"),
    Index("certificates", "person_id"),
]


def filled(**fields: str | None) -> dict[str, str]:
    """Only the filters that were asked for."""
    return {name: value for name, value in fields.items() if value is not None}
