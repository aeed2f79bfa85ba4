"""What commands, bodies and events let in: strict numbers, bounded text, no free-form places."""

from typing import Any

import pytest
from pydantic import BaseModel

from shared.model import Frozen
from tests.contract.fields import Leaf, bodies, commands, leaves
from tools import registry

EVENTS: list[type[BaseModel]] = list(registry.events().values())
TAKEN_IN = sorted({*commands(), *bodies(), *EVENTS}, key=lambda m: (m.__module__, m.__name__))

NOT_WHOLE: list[Any] = [True, 1.0, "1"]
NOT_BOOLEAN: list[Any] = [1, 0, "true", "yes", 1.0]
NOT_A_MOMENT: list[Any] = [12, 12.0, True, "12"]
STRICT = {"int": NOT_WHOLE, "bool": NOT_BOOLEAN, "datetime": NOT_A_MOMENT, "date": NOT_A_MOMENT}


def faults(model: type[BaseModel]) -> list[str]:
    return [f"{leaf.path}: {fault}" for leaf in leaves(model) if (fault := fault_of(leaf))]


def fault_of(leaf: Leaf) -> str | None:
    name = getattr(leaf.kind, "__name__", str(leaf.kind))
    if name in STRICT:
        lets_in = [value for value in STRICT[name] if leaf.takes(value)]
        return f"{name} lets in {lets_in}: use an alias of shared/types.py" if lets_in else None
    if name == "str":
        bounded = leaf.schema().keys() & {"pattern", "maxLength", "enum", "const"}
        return None if bounded else "text without a pattern or a longest length"
    return f"{leaf.kind} may hold anything: name the fields"


@pytest.mark.parametrize("model", TAKEN_IN, ids=lambda m: f"{m.__module__}.{m.__name__}")
def test_a_model_lets_in_only_what_it_names(model: type[BaseModel]) -> None:
    assert faults(model) == []


@pytest.mark.parametrize("body", bodies(), ids=lambda m: f"{m.__module__}.{m.__name__}")
def test_a_body_refuses_unknown_fields(body: type[BaseModel]) -> None:
    assert body.model_config.get("extra") == "forbid"


class Lax(Frozen):
    """A model with every fault."""

    whole: int
    maybe: int | None
    many: tuple[int, ...]
    flag: bool
    share: float
    text: str
    bag: dict[str, Any]
    anything: Any


def test_every_fault_is_seen() -> None:
    found = {fault.split(":")[0] for fault in faults(Lax)}
    names = ("whole", "maybe", "many[]", "flag", "share", "text", "bag", "anything")
    assert found == {f"Lax.{name}" for name in names}
