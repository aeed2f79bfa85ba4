"""Finds the codes that the source can produce: refusals, problems, reasons."""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

RAISED = {"Refused", "Unknown", "Forbidden", "Problem", "Unavailable", "Unauthorised"}
GIVEN = re.compile(r"^(code|unknown|may_refuse|unique|(\w+_)?(reason|refusal|hold)(_codes?)?)$")
LISTED = re.compile(r"(reason|refusal|hold|decline|code)s?$", re.IGNORECASE)
CODE = re.compile(r"^[a-z0-9]+(-[a-z0-9]+)*$")


def produced(paths: Iterable[Path]) -> dict[str, str]:
    """Each code literal, with the file and line where it stands."""
    found: dict[str, str] = {}
    for path in paths:
        tree = ast.parse(path.read_text("utf-8"))
        names = _constants(tree)
        for node in ast.walk(tree):
            for part in _coded(node):
                codes = [text for text in _literals(part, names) if CODE.match(text)]
                found |= dict.fromkeys(codes, f"{path.name}:{part.lineno}")
    return found


def mentioned(paths: Iterable[Path]) -> set[str]:
    """Every string in these files: a text whose code is not among them is dead."""
    nodes = [node for path in paths for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    constants = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return {value for value in constants if isinstance(value, str)}


def _coded(node: ast.AST) -> list[ast.expr]:
    """The expressions of a node that hold codes."""
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args):
            given = [word.value for word in node.keywords if GIVEN.match(word.arg or "")]
            return given + (list(args) if name in RAISED else [])
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if LISTED.search(name):
            return [value]
        case ast.AnnAssign(target=ast.Name(id=name), annotation=kind, value=value):
            holds = GIVEN.match(name) or LISTED.search(name)
            return [part for part in (kind, value) if part and holds]
    return []


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    """What the names of a module stand for."""
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found[name] = value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found[name] = value
    return found


def _literals(node: ast.expr, names: dict[str, ast.expr]) -> Iterator[str]:
    """The strings that an expression may come to."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.Name) and node.id in names:
        rest = {name: value for name, value in names.items() if name != node.id}
        yield from _literals(names[node.id], rest)
    else:
        for part in _parts(node):
            yield from _literals(part, names)


def _parts(node: ast.expr) -> Sequence[ast.expr]:
    """What an expression is made of, as far as its value is one of them; of a table, its values."""
    match node:
        case ast.IfExp(body=one, orelse=other):
            return [one, other]
        case ast.BinOp(left=one, op=ast.BitOr(), right=other):
            return [one, other]
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            return parts
        case ast.Dict(values=parts) | ast.BoolOp(values=parts):
            return parts
        case ast.Subscript(value=ast.Name(id="Literal" | "Annotated" | "tuple"), slice=inner):
            return [inner]
        case ast.Call(func=ast.Name(id="frozenset" | "tuple" | "set"), args=parts):
            return parts
    return []
