"""What a connection says of itself that was reset as it was made."""

from typing import Any, cast

import pytest
from anyio.abc import ByteStream
from httpcore2._backends.anyio import AnyIOStream

from services.gateway.upstreams import Pool

GONE = [
    AttributeError("'NoneType' object has no attribute 'getpeername'"),
    ValueError("negative file descriptor"),
]


class Reset:
    """As AnyIO is on uvloop."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def extra(self, *_: Any) -> Any:
        raise self._error


@pytest.mark.parametrize("error", GONE, ids=repr)
async def test_it_has_no_certificate_and_is_at_its_end(error: Exception):
    """So that httpcore drops it; what it raised came out of every call, whoever made it."""
    await Pool("grants", ["http://one:7401"]).close()
    stream = AnyIOStream(cast(ByteStream, Reset(error)))
    assert stream.get_extra_info("ssl_object") is None
    assert stream.get_extra_info("is_readable") is True
