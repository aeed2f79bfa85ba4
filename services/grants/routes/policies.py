"""Who may do what in grants, where more than one route says the same."""

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

TREASURY = Role("treasurer", "operator")
"""Who puts money in and takes it out."""

STAFF = Role("reviewer", "approver", "treasurer", "operator", "auditor")
"""Who reads what the grants desks work on."""
