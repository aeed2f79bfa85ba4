"""Every place where the core calls Motor, PyMongo or aiokafka, found in its source.

A site is a function of the core and the driver's method that it calls. What is awaited there and
is neither the core's own nor in `METHODS` is an error: a new driver call cannot go unnoticed.
"""

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from motor import motor_asyncio as motor

from shared.chassis import kafka, mongo, patience

METHODS: dict[type[Any], tuple[str, ...]] = {
    motor.AsyncIOMotorClient: ("start_session",),
    motor.AsyncIOMotorClientSession: ("commit_transaction", "end_session"),
    motor.AsyncIOMotorDatabase: (
        "command",
        "create_collection",
        "drop_collection",
        "list_collection_names",
    ),
    motor.AsyncIOMotorCollection: (
        "bulk_write",
        "count_documents",
        "create_indexes",
        "find_one",
        "update_many",
        "update_one",
    ),
    motor.AsyncIOMotorCursor: ("to_list",),
    motor.AsyncIOMotorLatentCommandCursor: ("to_list",),
    AIOKafkaConsumer: (
        "commit",
        "end_offsets",
        "getmany",
        "position",
        "start",
        "stop",
        "topics",
    ),
    AIOKafkaProducer: ("send", "start", "stop"),
    AIOKafkaAdminClient: (
        "close",
        "create_topics",
        "list_consumer_group_offsets",
        "list_topics",
        "start",
    ),
}
NAMES = {name for names in METHODS.values() for name in names}
OWN = {"asyncio", "_aside", "_conversation", "_endings", "bus", "store", "delegate"}
"""Whose methods are not a driver's, or (`delegate.close`) ask no server."""

BY_FORCE = "_parts"
"""The function that takes a client apart when its stop did not end; no site of its own."""


def sites() -> set[str]:
    """Every site, as `package.Class.function: method`."""
    return {site for package in (mongo, kafka) for path in _files(package) for site in _in(path)}


def unknown() -> list[str]:
    """What is awaited and neither the core's own nor known here."""
    return [
        f"{path.name}:{node.lineno}: {ast.unparse(node)}"
        for package in (mongo, kafka)
        for path in _files(package)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Await) and isinstance(node.value, ast.Call)
        if isinstance(called := node.value.func, ast.Attribute) and called.attr not in NAMES
        if not _is_own(called.value)
    ]


def here() -> str | None:
    """The function of the core that called the caller of this, if it was one."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename == _PATIENCE:
        frame = frame.f_back
    if frame is None or (package := _PACKAGES.get(frame.f_code.co_filename)) is None:
        return None
    function = frame.f_code.co_qualname.partition(".<locals>")[0]
    return f"{package}.{function}"


def _files(package: ModuleType) -> list[Path]:
    path = Path(inspect.getfile(package))
    return sorted(path.parent.glob("*.py")) if path.name == "__init__.py" else [path]


_PATIENCE = patience.__file__
"""Through which a client is stopped."""

_PACKAGES = {
    str(path): package.__name__.rpartition(".")[2]
    for package in (mongo, kafka)
    for path in _files(package)
}


def _in(path: Path) -> Iterator[str]:
    for name, function in _functions(ast.parse(path.read_text()), ""):
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and node.attr in NAMES and not _is_own(node.value):
                yield f"{_PACKAGES[str(path)]}.{name}: {node.attr}"


def _functions(
    tree: ast.AST, prefix: str
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name != BY_FORCE:
            yield f"{prefix}{node.name}", node


def _is_own(value: ast.expr) -> bool:
    """`self.commit`, `self._aside.start`: ours; `self._client.commit`: a driver's."""
    if isinstance(value, ast.Name):
        return value.id in OWN | {"self"}
    return isinstance(value, ast.Attribute) and value.attr in OWN
