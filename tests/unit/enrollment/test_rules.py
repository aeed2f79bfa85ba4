"""Eligibility: three values, every leaf explained, versions that stay as they are."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.enrollment.domain.facts import Facts
from services.enrollment.domain.rules import RULES, AnyOf, Evidence, evaluate
from shared.events.enrollment import Result
from tests.unit.enrollment.scenes import ALL_MET


def outcome(**facts: Any) -> Result:
    return evaluate("2026-1", ALL_MET.model_copy(update=facts)).outcome


def leaf(code: str, **facts: Any) -> Result:
    found = evaluate("2026-1", ALL_MET.model_copy(update=facts))
    return next(one.result for one in found.leaves if one.code == code)


def test_a_woman_who_leads_her_business_in_a_state_of_the_call_is_eligible() -> None:
    assert outcome() == "met"
    assert outcome(call_states=("07", "20")) == "met"


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"self_declared_woman": False}, "woman-declared"),
        ({"business_registered": False}, "business-registered"),
        ({"women_share": 50, "led_by_her": False}, "women-own-majority"),
        ({"women_share": 50, "led_by_her": False}, "led-by-her"),
        ({"size_class": "large"}, "size-allowed"),
        ({"call_states": ("20",)}, "state-in-call"),
    ],
)
def test_each_condition_that_is_not_met_is_named(facts: dict[str, Any], code: str) -> None:
    assert outcome(**facts) == "unmet"
    assert leaf(code, **facts) == "unmet"


@pytest.mark.parametrize("name", ["self_declared_woman", "business_registered", "size_class"])
def test_what_is_not_known_is_unknown_and_never_a_no(name: str) -> None:
    assert outcome(**{name: None}) == "unknown"


def test_a_no_outweighs_what_is_not_known() -> None:
    assert outcome(self_declared_woman=None, size_class="large") == "unmet"


@pytest.mark.parametrize(
    ("share", "leads", "expected"),
    [
        (51, False, "met"),
        (51, None, "met"),
        (0, True, "met"),
        (None, True, "met"),
        (50, None, "unknown"),
        (None, False, "unknown"),
        (None, None, "unknown"),
        (50, False, "unmet"),
    ],
)
def test_a_business_is_women_led_by_ownership_or_by_who_decides(
    share: int | None, leads: bool | None, expected: Result
) -> None:
    assert outcome(women_share=share, led_by_her=leads) == expected


def test_a_leaf_shows_what_it_looked_at() -> None:
    leaves = {one.code: one.evidence for one in evaluate("2026-1", ALL_MET).leaves}
    assert leaves["women-own-majority"] == (Evidence(fact="women_share", value="100"),)
    assert leaves["woman-declared"] == (Evidence(fact="self_declared_woman", value="true"),)
    nothing = evaluate("2026-1", Facts()).leaves
    assert {one.value for each in nothing for one in each.evidence} == {None}


def test_the_rules_of_2026_ask_for_these_conditions_and_no_others() -> None:
    codes = [one.code for one in evaluate("2026-1", ALL_MET).leaves]
    assert codes == [
        "woman-declared",
        "business-registered",
        "women-own-majority",
        "led-by-her",
        "size-allowed",
        "state-in-call",
    ]


MAYBE = st.none() | st.booleans()


@given(MAYBE, MAYBE, st.none() | st.integers(0, 100), MAYBE)
def test_learning_more_never_turns_a_clear_answer_around(
    woman: bool | None, business: bool | None, share: int | None, leads: bool | None
) -> None:
    names = ("self_declared_woman", "business_registered", "women_share", "led_by_her")
    facts = dict(zip(names, (woman, business, share, leads), strict=True))
    before = outcome(**facts)
    learnt = {name: True for name in names if name != "women_share" and facts[name] is None}
    after = outcome(**facts | learnt)
    assert before in ("unknown", after)


def test_every_version_has_leaves_with_codes_of_their_own() -> None:
    for version, tree in RULES.items():
        assert not isinstance(tree, AnyOf)
        codes = [one.code for one in evaluate(version, ALL_MET).leaves]
        assert len(set(codes)) == len(codes)
