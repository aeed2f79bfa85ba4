"""Who may do what in training, where more than one route says the same."""

from shared.chassis.policy import Role

EVERYONE = Role(
    "applicant",
    "promoter",
    "intake",
    "reviewer",
    "approver",
    "treasurer",
    "trainer",
    "trade",
    "operator",
    "auditor",
    "service",
)
"""Anyone with a token: what is offered is no secret."""

HERS = Role("applicant", "promoter")
"""A woman, or a promoter on her behalf."""

DESK = Role("trainer", "operator")
"""The training desk."""

STAFF = Role("trainer", "operator", "auditor")
"""Who reads what the training desk works on."""
