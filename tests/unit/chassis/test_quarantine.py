"""What is kept of a record without a place can be written, whatever it holds and wherever."""

from datetime import UTC, datetime

import bson

from shared.chassis.batch import Batch
from shared.chassis.fold import Scope
from shared.chassis.ports import Record
from shared.chassis.quarantine import KEPT_BYTES, quarantine, quarantine_ref
from shared.model import Handlers

AT = datetime(2026, 3, 2, tzinfo=UTC)
MUCH = 20 * 1024 * 1024
"""More than a document may hold; a record of so much zeros is small on its way."""


def test_of_a_record_that_is_larger_than_a_document_a_part_is_kept() -> None:
    headers = (("n" * MUCH, b"\0" * MUCH), ("none", None), *[("x", b"1")] * 1000)
    record = Record("telar.shelf", 3, 5, b"\0" * MUCH, b"\0" * MUCH, headers)
    batch = Batch(Handlers())
    batch.add([quarantine_ref(record)], {})
    scope = Scope(batch)
    assert quarantine(scope, record, "key-too-long", AT) == "key-too-long"
    kept = scope.read(quarantine_ref(record))
    assert len(bson.encode(kept)) < KEPT_BYTES + 10_000
    assert len(kept["headers"]) == 40
    assert kept["headers"][1] == ["none", None]


def test_of_a_record_without_anything_it_is_kept_that_there_was_nothing() -> None:
    record = Record("telar.shelf", 3, 5, None, None)
    batch = Batch(Handlers())
    batch.add([quarantine_ref(record)], {})
    scope = Scope(batch)
    quarantine(scope, record, "value-missing", AT)
    kept = scope.read(quarantine_ref(record))
    assert (kept["key"], kept["value"], kept["headers"]) == (None, b"", [])
