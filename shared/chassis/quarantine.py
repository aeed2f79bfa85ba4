"""Records without a valid place: kept with the reason, and in nobody's way."""

from datetime import datetime

from shared.chassis import metrics
from shared.chassis.batch import Ref
from shared.chassis.envelope import short
from shared.chassis.fold import Scope
from shared.chassis.ports import Record

COLLECTION = "quarantine"

KEPT_BYTES, KEPT_HEADERS, KEPT_OF_EACH = 64 * 1024, 40, 1024
"""Of a record's value no more is kept; of its key, and of the names and values of its headers.

Compressed, a record may hold more than a document does, wherever in it.
"""


def quarantine_ref(record: Record) -> Ref:
    """The document of a record without a valid place: it can never block a real key."""
    return Ref(COLLECTION, f"{short(record.topic)}/{record.partition}/{record.offset}")


def quarantine(scope: Scope, record: Record, code: str, at: datetime) -> str:
    """Keep a record that has no valid place, with the reason; the partition goes on."""
    scope.count(metrics.QUARANTINED, short(record.topic), code)
    kept = {
        "_id": quarantine_ref(record).id,
        "code": code,
        "at": at,
        "topic": record.topic,
        "key": record.key and record.key[:KEPT_OF_EACH],
        "value": (record.value or b"")[:KEPT_BYTES],
        "headers": [
            [name[:KEPT_OF_EACH], value and value[:KEPT_OF_EACH]]
            for name, value in record.headers[:KEPT_HEADERS]
        ],
    }
    scope.put(quarantine_ref(record), kept)
    return code
