"""Who may do what in enrollment, where more than one route says the same."""

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
"""Anyone with a token: a call is public."""

HERS = Role("applicant", "promoter")
"""A woman, or a promoter on her behalf."""

INTAKE = Role("intake")
"""Who decides on enrolments."""

STAFF = Role("intake", "operator", "auditor")
"""Who reads what intake works on."""
