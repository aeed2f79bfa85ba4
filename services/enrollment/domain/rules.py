"""Eligibility: versioned trees of conditions over facts, in three values, leaf by leaf.

The tree advises, a person decides. A version that was used is never edited: calls name it, and
what it said must be explainable later. What is not known is unknown, never a silent no.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from services.enrollment.domain.facts import Facts
from shared.events.enrollment import Result
from shared.model import Frozen
from shared.types import Code


class Evidence(Frozen):
    """A fact that a leaf looked at, and the value that it saw."""

    fact: str
    value: str | None


class ExplainedLeaf(Frozen):
    """One condition: its stable code, what it came to, and what it looked at."""

    code: Code
    result: Result
    evidence: tuple[Evidence, ...]


class Evaluation(Frozen):
    """What a version of the rules says of these facts."""

    rules_version: Code
    outcome: Result
    leaves: tuple[ExplainedLeaf, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A condition that holds or not once all its facts are known. Its code is the reason."""

    code: Code
    facts: tuple[str, ...]
    holds: Callable[[Facts], bool]


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every branch must be met."""

    branches: tuple["Tree", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One branch that is met suffices."""

    branches: tuple["Tree", ...]


Tree = Leaf | AllOf | AnyOf


def evaluate(version: Code, facts: Facts) -> Evaluation:
    """What this version says, with every leaf explained, also those that did not matter."""
    outcome, leaves = _walk(RULES[version], facts)
    return Evaluation(rules_version=version, outcome=outcome, leaves=leaves)


def _walk(tree: Tree, facts: Facts) -> tuple[Result, tuple[ExplainedLeaf, ...]]:
    if isinstance(tree, Leaf):
        leaf = _explain(tree, facts)
        return leaf.result, (leaf,)
    walked = [_walk(branch, facts) for branch in tree.branches]
    leaves = tuple(leaf for _, below in walked for leaf in below)
    results = {result for result, _ in walked}
    return (_all(results) if isinstance(tree, AllOf) else _any(results)), leaves


def _explain(leaf: Leaf, facts: Facts) -> ExplainedLeaf:
    seen = {name: getattr(facts, name) for name in leaf.facts}
    evidence = tuple(Evidence(fact=name, value=_text(value)) for name, value in seen.items())
    if None in seen.values():
        return ExplainedLeaf(code=leaf.code, result="unknown", evidence=evidence)
    result: Result = "met" if leaf.holds(facts) else "unmet"
    return ExplainedLeaf(code=leaf.code, result=result, evidence=evidence)


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, tuple):
        return " ".join(str(one) for one in value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _all(results: set[Result]) -> Result:
    if "unmet" in results:
        return "unmet"
    return "unknown" if "unknown" in results else "met"


def _any(results: set[Result]) -> Result:
    if "met" in results:
        return "met"
    return "unknown" if "unknown" in results else "unmet"


def _women_led() -> Tree:
    # Ownership alone leaves out those who run what is in a husband's or a father's name.
    return AnyOf(
        (
            Leaf("women-own-majority", ("women_share",), lambda f: (f.women_share or 0) > 50),
            Leaf("led-by-her", ("led_by_her",), lambda f: f.led_by_her is True),
        )
    )


def _in_call() -> Tree:
    return Leaf(
        "state-in-call",
        ("state", "call_states"),
        lambda f: not f.call_states or f.state in f.call_states,
    )


_2026_1 = AllOf(
    (
        Leaf("woman-declared", ("self_declared_woman",), lambda f: f.self_declared_woman is True),
        Leaf(
            "business-registered", ("business_registered",), lambda f: bool(f.business_registered)
        ),
        _women_led(),
        Leaf("size-allowed", ("size_class",), lambda f: f.size_class != "large"),
        _in_call(),
    )
)

RULES: Mapping[str, Tree] = MappingProxyType({"2026-1": _2026_1})
"""Every version that a call can name."""
