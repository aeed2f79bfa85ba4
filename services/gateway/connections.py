"""Connections that are reset as they are made: AnyIO cannot say what they are, and raises.

uvloop has no socket any more for such a connection (AttributeError), or one that is closed
(ValueError). httpcore asks each idle connection whether it is still good whenever it deals out its
pool: one that cannot answer would fail every call until the process ends.
`tests/integration/test_gateway_upstreams.py` holds it to that.
"""

from typing import Any

from httpcore2._backends.anyio import AnyIOStream

_info = AnyIOStream.get_extra_info


def bear_resets() -> None:
    """From now on every connection of this process answers."""
    AnyIOStream.get_extra_info = _answered  # pyrefly: ignore[method-assign]


def _answered(self: AnyIOStream, info: str) -> Any:
    try:
        return _info(self, info)
    except (AttributeError, ValueError):
        return info == "is_readable" or None  # readable: there is an end to read
