"""How grants' collections are found: indexes, and filters of lists."""

from shared.chassis.service import Index

INDEXES = [
    Index("rounds", "pool_id"),
    Index("rounds", "closes_at"),
    Index("applications", "round_id", "status", "submitted_at"),
    Index("applications", "status", "submitted_at"),
    Index("applications", "person_id"),
    Index("awards", "status"),
    Index("awards", "round_id", "status"),
    Index("awards", "pool_id", "status", "rank"),
    Index("awards", "tranche_states"),
    Index("awards", "person_id", "status"),
    Index("payments", "status", "sent_at"),
    Index("payments", "award_id"),
    Index("payments", "person_id"),
]


def filled(**fields: str | None) -> dict[str, str]:
    """Only the filters that were asked for."""
    return {name: value for name, value in fields.items() if value is not None}
