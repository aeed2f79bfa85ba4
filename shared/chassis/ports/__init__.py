"""What the core asks of a store and of a bus. `mongo` and `kafka` are real, `memory` is for tests.

Every implementation passes the same suites (`tests/integration/store_suite.py`, `bus_suite.py`).

    StoreError
    ├── Conflict          run the transaction again: another one was first
    ├── UniqueViolated    a unique index refused one document
    ├── OutcomeUnknown    the commit may or may not have happened
    └── StoreUnavailable  no server answered in time
    BusError              not every record was acknowledged, or no broker answered in time
"""

from shared.chassis.ports.bus import (
    Bus,
    Consumer,
    Offsets,
    Outgoing,
    Place,
    Producer,
    Record,
    place_id,
    place_of,
)
from shared.chassis.ports.errors import (
    BusError,
    Conflict,
    OutcomeUnknown,
    StoreError,
    StoreUnavailable,
    UniqueViolated,
)
from shared.chassis.ports.store import (
    Document,
    Drop,
    Index,
    Instant,
    Loaded,
    Put,
    Sent,
    Snapshot,
    Store,
    Transaction,
    Write,
    nobody,
)

__all__ = [
    "Bus",
    "BusError",
    "Conflict",
    "Consumer",
    "Document",
    "Drop",
    "Index",
    "Instant",
    "Loaded",
    "Offsets",
    "OutcomeUnknown",
    "Outgoing",
    "Place",
    "Producer",
    "Put",
    "Record",
    "Sent",
    "Snapshot",
    "Store",
    "StoreError",
    "StoreUnavailable",
    "Transaction",
    "UniqueViolated",
    "Write",
    "nobody",
    "place_id",
    "place_of",
]
