"""What a walk must contain so that a path is reached: the rest would only cost time."""

from typing import Literal

Part = Literal["gaps", "ill", "views", "orders", "rival"]

EVERYTHING: frozenset[Part] = frozenset({"gaps", "ill", "views", "orders", "rival"})

PLAIN = {
    *(
        "adopt",
        "backfill",
        "boot",
        "clock",
        "command",
        "consume",
        "due",
        "fill",
        "lost topic",
        "publish",
    ),
    *("start check", "stop", "sweep", "tick"),
}
"""Paths that every walk takes."""

NEEDS: dict[str, frozenset[Part]] = {
    "ask": frozenset({"gaps"}),
    "conflict": frozenset({"rival"}),
    "drain": frozenset({"ill", "gaps"}),
    "heads": frozenset({"gaps"}),
    "hear": frozenset({"gaps"}),
    "listen": frozenset({"gaps"}),
    "mend": frozenset({"ill", "orders"}),
    "operations": frozenset({"views"}),
    "order": frozenset({"orders"}),
    "parking": frozenset({"ill", "gaps"}),
    "poll": frozenset({"gaps"}),
    "query": frozenset({"views"}),
    "ready": frozenset({"views"}),
    "resend": frozenset({"gaps"}),
    "tail": frozenset(),
}


def parts(path: str) -> frozenset[Part]:
    """The parts that this path needs; of a path that is not known, all."""
    return NEEDS.get(path, frozenset() if path in PLAIN else EVERYTHING)
