"""What eligibility is judged by: named facts, gathered from whoever owns them."""

from typing import Literal

from shared.model import Frozen
from shared.types import Code, Count, Flag, Id, StateKey

SizeClass = Literal["micro", "small", "medium", "large"]
RuralClass = Literal["urban", "rural"]
"""Rural is a locality of fewer than 2,500 inhabitants, as INEGI counts."""


class Facts(Frozen):
    """Each fact under the name that leaves cite; None is not known."""

    rules_version: Code | None = None
    call_states: tuple[StateKey, ...] | None = None
    self_declared_woman: Flag | None = None
    state: StateKey | None = None
    business_registered: Flag | None = None
    women_share: Count | None = None
    led_by_her: Flag | None = None
    size_class: SizeClass | None = None


class Inquiry(Frozen):
    """An evaluation under way: for which enrolment, and the facts that were told so far."""

    enrolment_id: Id
    person_id: Id
    call_id: Id
    business_id: Id | None
    facts: Facts = Facts()

    def plus(self, told: Facts) -> "Inquiry":
        """This inquiry with more facts; what is told later does not unsay what was told."""
        known = {name: value for name, value in told if value is not None}
        return self.model_copy(update={"facts": self.facts.model_copy(update=known)})
