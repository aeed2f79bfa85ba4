"""Reading a JSON body strictly: what two readers could understand differently is refused."""

import json
import math
import unicodedata
from typing import Any, NoReturn

from shared.chassis.errors import Problem

BODY_BYTES = 64 * 1024
"""No body is larger (413); a command is a few hundred bytes."""

DEPTH = 32
"""No lists and objects stand deeper within each other (400); those of a command are four deep.

Python's own limit would let some pass here that are too deep a few calls further on.
"""

_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _refuse(*_: object) -> NoReturn:
    raise Problem(400, "body-malformed")


def _float(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        _refuse()  # the last would win here and the first elsewhere
    return fields


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse, parse_float=_float)


def parse(body: bytes) -> Any:
    """The value of a UTF-8 JSON body. Raises `Problem` 400 and never repeats what was sent."""
    try:
        text = body.decode("utf-8")
        value = _DECODER.decode(text)
        _check(value, DEPTH)
    except (ValueError, RecursionError):
        _refuse()
    return value


def _check(value: Any, room: int) -> None:
    """`room`: how many more levels of lists and objects there may be."""
    if isinstance(value, str):
        if not plain(value):
            _refuse()
    elif not room and isinstance(value, (dict, list)):
        _refuse()
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check(name, room)
            _check(inner, room - 1)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, room - 1)


def plain(text: str) -> bool:
    """No control or bidi characters, no lone surrogates, no digits but 0 to 9."""
    if text.isascii():
        return text.isprintable()
    for character in text:
        if character in _BIDI or unicodedata.category(character) in ("Cc", "Cs"):
            return False
        if unicodedata.category(character) == "Nd" and not character.isascii():
            return False
    return True
