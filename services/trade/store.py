"""How trade's states are found: the indexes behind its lists."""

from shared.chassis.service import Index

INDEXES = [
    Index("fairs", "status"),
    Index("places", "fair_id", "status"),
    Index("places", "person_id"),
]
