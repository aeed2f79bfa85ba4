"""How enrollment's collections are found: indexes, and filters of lists."""

from shared.chassis.service import Index

INDEXES = [
    Index("calls", "status", "closes_at"),
    Index("businesses", "person_id"),
    Index("enrolments", "status", "submitted_at"),
    Index("enrolments", "call_id", "status", "submitted_at"),
    Index("enrolments", "person_id"),
]


def filled(**fields: str | None) -> dict[str, str]:
    """Only the filters that were asked for."""
    return {name: value for name, value in fields.items() if value is not None}
