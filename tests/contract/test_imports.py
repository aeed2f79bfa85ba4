"""What rules, reactions and events may import at all; the rest is in .importlinter."""

import ast
import sys
from pathlib import Path

import pytest

from tools.paths import ROOT, SERVICES

# Of the standard library: what has no clock, no chance, no state and no I/O.
PURE = {
    *("abc", "bisect", "collections", "collections.abc", "dataclasses", "datetime", "decimal"),
    *("enum", "fractions", "functools", "heapq", "itertools", "math", "operator", "re"),
    *("statistics", "string", "types", "typing", "unicodedata"),
}
# A view of everything finds the facts by folder, so that a new publisher adds no line.
FINDERS = {"importlib", "pkgutil"}
VOCABULARY = {"pydantic", "shared.model", "shared.types", "shared.events"}
# `shared.model` itself makes ids from names (uuid5) and looks at the shape of handlers.
MODEL = PURE | {"pydantic", "inspect", "uuid"}


def rules() -> list[Path]:
    return sorted([*SERVICES.glob("*/domain/**/*.py"), *SERVICES.glob("*/handlers.py")])


def events() -> list[Path]:
    return sorted((ROOT / "shared" / "events").rglob("*.py"))


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." * node.level + (node.module or ""))
    return found


def strange(path: Path, allowed: set[str]) -> set[str]:
    """Imports that are neither allowed themselves nor, outside the library, inside an allowed."""
    return {
        name
        for name in imported(path)
        if name not in allowed
        and not any(name.startswith(f"{one}.") for one in allowed - set(sys.stdlib_module_names))
    }


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", rules(), ids=shown)
def test_a_rule_imports_its_vocabulary_and_its_own_domain(path: Path) -> None:
    service = path.relative_to(SERVICES).parts[0]
    extra = FINDERS if path.name == "handlers.py" else set()
    assert strange(path, PURE | VOCABULARY | extra | {f"services.{service}.domain"}) == set()


@pytest.mark.parametrize("path", events(), ids=shown)
def test_events_import_the_vocabulary_alone(path: Path) -> None:
    assert strange(path, PURE | VOCABULARY) == set()


@pytest.mark.parametrize("name", ["model", "types"])
def test_the_vocabulary_stands_on_pydantic_alone(name: str) -> None:
    assert strange(ROOT / "shared" / f"{name}.py", MODEL) == set()


def test_a_clock_chance_and_the_chassis_would_be_seen(tmp_path: Path) -> None:
    rule = tmp_path / "rule.py"
    rule.write_text("import time, random\nfrom shared.chassis import mongo\nimport os.path\n")
    assert strange(rule, PURE | VOCABULARY) == {"time", "random", "shared.chassis", "os.path"}
