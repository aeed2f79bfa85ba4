"""What is wrong with a record, by its code; and what is no concern of its reader."""

import pytest

from shared.chassis.envelope import decode, encode
from shared.chassis.errors import Malformed
from shared.chassis.ports import Record
from tests.integration.core_suite import chain

SENT = encode(chain("ana", 1)[0])


def record(
    key: bytes | None = SENT.key, value: bytes = SENT.value, **headers: bytes | None
) -> Record:
    """A good one but for these."""
    changed = {**dict(SENT.headers), **headers}
    return Record(SENT.topic, 0, 0, key, value, tuple(changed.items()))


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (record(ce_id=b"\xc3\x28"), "headers-not-text"),
        (record(ce_id=b"two\nlines"), "headers-not-text"),
        (record(ce_subject=b"\xff"), "headers-not-text"),
        (record(ce_anything=b"\xff"), "headers-not-text"),
        (record(key=b"\xff"), "headers-not-text"),
        (record(key=None), "key-missing"),
        (record(key=b"x" * 201), "key-too-long"),
        (record(key=b"eva"), "key-differs"),
        (record(value=b""), "value-missing"),
        (record(value=b"x" * (256 * 1024 + 1)), "value-too-large"),
        (record(ce_previous=b""), "attribute-missing"),
        (record(ce_previous=None), "attribute-missing"),
        (record(ce_anything=None, ce_more=b"\xff"), "headers-not-text"),
        (record(ce_specversion=b"0.3"), "not-a-cloudevent"),
        (record(ce_source=b"/telar/grants"), "source-wrong"),
        (record(ce_type=b"telar.grants.paid.v1"), "type-of-another-topic"),
        (record(ce_sequence=b"0"), "sequence-malformed"),
        (record(ce_sequence=b"9" * 16), "sequence-malformed"),
        (record(ce_correlationid=b"x" * 1025), "attribute-too-long"),
        (record(ce_type=b"telar.shelf." + b"x" * 1025), "attribute-too-long"),
        (record(ce_time=b"noon"), "time-malformed"),
        (record(ce_time=b"2026-03-02T12:00:00"), "time-malformed"),
        (record(ce_time=b"0001-01-01T00:00:00+14:00"), "time-malformed"),
        (record(ce_time=b"9999-12-31T23:59:59-14:00"), "time-malformed"),
    ],
    ids=lambda one: one if isinstance(one, str) else "record",
)
def test_a_broken_record_has_a_code(broken: Record, code: str) -> None:
    with pytest.raises(Malformed) as refused:
        decode(broken)
    assert refused.value.code == code


def test_headers_that_are_no_attributes_may_be_anything() -> None:
    assert decode(record(trace=b"\xff\x00")) == decode(record())
    assert decode(record(trace=None, ce_anything=None, more=b"\xff")) == decode(record())


def test_an_attribute_that_may_be_missing_may_be_empty() -> None:
    assert decode(record(ce_traceparent=b"")).traceparent is None
