"""What the real adapters ask of their servers; the doubles take it from their source.

So a change of the write concern in `chassis/mongo.py`, or of the offset reset in
`chassis/kafka.py`, changes what the simulated servers do.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass


@dataclass(frozen=True)
class Asked:
    """The write concern of a transaction, and where a consumer begins that knows no offset."""

    write_concern: str
    offset_reset: str


def asked(mongo: str, kafka: str) -> Asked:
    """Read it from the source of the two adapters; fails loudly when it is not there."""
    concerns = [
        ast.literal_eval(call.args[0]) for call in _calls(mongo, "WriteConcern") if call.args
    ]
    resets = [
        ast.literal_eval(keyword.value)
        for call in _calls(kafka, "AIOKafkaConsumer")
        for keyword in call.keywords
        if keyword.arg == "auto_offset_reset"
        and any(one.arg == "group_id" for one in call.keywords)
    ]
    (concern,), (reset,) = concerns, resets
    return Asked(str(concern), str(reset))


def _calls(text: str, name: str) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]
