"""Reference tables that come with Telar: the states and municipalities of Mexico, by INEGI key."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its edition, where it comes from, and the official name of each key."""

    version: str
    source: str
    licence: str
    carried_by: str
    names: Mapping[str, str]


@cache
def states() -> Table:
    """The 32 states by their two-digit key."""
    return _load("states")


@cache
def municipalities() -> Table:
    """Every municipality by its five-digit key, of which the first two are its state's."""
    return _load("municipalities")


def _load(name: str) -> Table:
    text = files(__name__).joinpath(f"{name}.json").read_text(encoding="utf-8")
    fields: dict[str, Any] = json.loads(text)
    return Table(names=MappingProxyType(fields.pop("names")), **fields)
