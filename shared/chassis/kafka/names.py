"""Names of headers that are no UTF-8: Kafka and its clients in C and Java take and give them.

aiokafka's parser raises at one, at each attempt: a single record of a stranger would stop every
reader of its partition for good. A batch with one is read by its parser in Python instead, with
what is no text in a name replaced. `tests/integration/test_kafka_bus.py` holds it to that.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record import memory_records
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy


def bear_any() -> None:
    """From now on every consumer of this process reads such records."""
    memory_records.DefaultRecordBatch = _Batch  # pyrefly: ignore[bad-assignment]
    fetcher.MemoryRecords = memory_records._MemoryRecordsPy


class _Batch:
    """A batch as aiokafka reads it, until a name in it cannot be read."""

    def __init__(self, raw: memoryview) -> None:
        self._raw = raw
        self._batch: Any = DefaultRecordBatch(raw)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        read = 0
        try:
            for read, record in enumerate(self._batch, 1):  # noqa: B007  how many there were
                yield record
        except UnicodeDecodeError:
            yield from islice(_InPython(self._raw), read, None)


class _InPython(_DefaultRecordBatchPy):  # pyrefly: ignore[invalid-inheritance]  so it says
    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _Bytes(self._buffer)


class _Bytes(bytearray):
    """What is no text is replaced, whoever decodes a part of it."""

    def __getitem__(self, at: Any) -> Any:
        part = super().__getitem__(at)
        return _Bytes(part) if isinstance(at, slice) else part

    def decode(self, encoding: str = "utf-8", errors: str = "replace") -> str:
        return super().decode(encoding, "replace")
