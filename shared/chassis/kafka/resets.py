"""Connections that a broker has reset, on uvloop: what is sent over one is an error of Kafka.

uvloop closes the transport at once and raises a bare RuntimeError at the next write, where
aiokafka, which learns of the reset some turns of the loop later, looks for OSError. Its task that
keeps the metadata would end by it without a word, and who waits for that task would for ever.
`tests/integration/test_resets.py` holds it to that.
"""

from typing import Any

from aiokafka.conn import AIOKafkaConnection, CloseReason

_send = AIOKafkaConnection.send


def tell_resets() -> None:
    """From now on every client of this process says so."""
    AIOKafkaConnection.send = _told  # pyrefly: ignore[method-assign]


def _told(self: AIOKafkaConnection, *asked: Any, **how: Any) -> Any:
    if self._writer is not None and self._writer.is_closing():
        self.close(reason=CloseReason.CONNECTION_BROKEN)
    return _send(self, *asked, **how)  # without a writer a KafkaConnectionError
