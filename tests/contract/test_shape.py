"""The house numbers that no linter counts: lengths, docstrings, leftovers, paths, hosts."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.paths import ROOT

SKIPPED = {"node_modules", "build", "dist", "__pycache__"}
POINTER = ".git"
"""A file in a linked work tree, by which git finds its folder."""

TEXT = {".py", ".md", ".toml", ".yml", ".yaml", ".txt", ".in", ".lock", ".json", ".html", ".css"}
TEXT |= {".js", ".ts", ".tsx", ".sh", ".tpl", ".xml", ".properties", ""}
LINES, TEST_LINES, FUNCTION_LINES = 300, 400, 40

LEFT_OVER = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
MACHINE_PATH = re.compile(r"(?<![\w.:])(/wo" + r"rk|/ro" + r"ot|/ho" + r"me/\w+|/Us" + r"ers/\w+)/")
HOST = re.compile(r"https?://")


def files() -> Iterator[Path]:
    for folder, below, names in os.walk(ROOT):
        below[:] = [
            n for n in below if n not in SKIPPED and (n[0] != "." or n in {".ci", ".github"})
        ]
        yield from (Path(folder) / name for name in names if name != POINTER)


ALL = sorted(files())
TEXTS = [path for path in ALL if path.suffix in TEXT]
MODULES = [path for path in ALL if path.suffix == ".py" and path.stat().st_size]
LOCKS = [
    path
    for path in ALL
    if path.suffix == ".lock"
    or path.name == "package-lock.json"
    or (path.parent.name == "requirements" and path.suffix == ".txt")
]


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def found(pattern: re.Pattern[str], path: Path) -> list[str]:
    lines = path.read_text("utf-8").splitlines()
    return [
        f"{number}: {line.strip()}" for number, line in enumerate(lines, 1) if pattern.search(line)
    ]


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_a_module_says_its_job_and_stays_short(path: Path) -> None:
    text = path.read_text("utf-8")
    tree = ast.parse(text)
    named_after_its_subject = path.name.startswith("test_")
    assert named_after_its_subject or ast.get_docstring(tree), "no docstring"
    assert text.count("\n") <= (TEST_LINES if "tests" in path.parts else LINES)
    long = {
        node.name: length
        for node in functions(tree)
        if (length := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES
    }
    assert long == {}


def test_nothing_is_left_for_later() -> None:
    assert {shown(path): hits for path in TEXTS if (hits := found(LEFT_OVER, path))} == {}


def test_no_file_knows_the_machine_that_it_was_written_on() -> None:
    assert {shown(path): hits for path in TEXTS if (hits := found(MACHINE_PATH, path))} == {}


@pytest.mark.parametrize("path", LOCKS, ids=shown)
def test_a_lock_file_names_no_host(path: Path) -> None:
    assert found(HOST, path) == []


def test_every_pattern_finds_what_it_is_for(tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    lines = ["# TO" + "DO later", "see /ho" + "me/me/notes", "https://pypi.example/simple"]
    path.write_text("\n".join(lines))
    assert [len(found(pattern, path)) for pattern in (LEFT_OVER, MACHINE_PATH, HOST)] == [1, 1, 1]
