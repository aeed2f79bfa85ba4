"""Why she leaves, and why an officer decides as they do: codes with a text for her."""

from typing import Literal

WithdrawReason = Literal[
    "no-time",
    "care-duties",
    "health",
    "moved-away",
    "business-closed",
    "other-programme",
    "prefer-not-to-say",
]
DeclineReason = Literal[
    "woman-declared",
    "business-registered",
    "women-own-majority",
    "led-by-her",
    "size-allowed",
    "state-in-call",
    "evidence-missing",
    "evidence-contradicts",
]
EnrolReason = Literal["evidence-seen", "site-visited", "community-letter"]
"""Why an officer enrols although the tree does not say that all is met."""
