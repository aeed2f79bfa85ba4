"""Every place where the core calls Motor, PyMongo or aiokafka, found in its source.

A site is a function of the core and the driver's method that it calls. What is awaited there and
is neither the core's own nor in `METHODS` is an error, and so is a method of PyMongo that a thread
of the core calls and that is not in `BLOCKING`: a new driver call cannot go unnoticed.
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
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.command_cursor import CommandCursor
from pymongo.cursor import Cursor
from pymongo.database import Database

from shared.chassis import kafka, mongo, patience

METHODS: dict[type[Any], tuple[str, ...]] = {
    motor.AsyncIOMotorDatabase: (
        "command",
        "create_collection",
        "drop_collection",
        "list_collection_names",
    ),
    motor.AsyncIOMotorCollection: (
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
        "committed",
        "end_offsets",
        "getmany",
        "position",
        "start",
        "stop",
        "topics",
    ),
    AIOKafkaProducer: ("partitions_for", "send_batch", "start", "stop"),
    AIOKafkaAdminClient: (
        "close",
        "create_topics",
        "list_consumer_group_offsets",
        "list_topics",
        "start",
    ),
}
"""What is awaited."""

BLOCKING: dict[type[Any], tuple[str, ...]] = {
    ClientSession: ("commit_transaction", "end_session"),
    Collection: ("aggregate",),
    CommandCursor: ("to_list",),
    Cursor: ("to_list",),
    Database: ("command",),
}
"""What is called in a thread of the core."""


def _names(methods: dict[type[Any], tuple[str, ...]]) -> set[str]:
    return {name for names in methods.values() for name in names}


SILENT = {"find"}
"""PyMongo's methods that ask no server."""

OWN = {"asyncio", "_aside", "_conversation", "_endings", "bus", "delegate", "store"}
"""Whose methods are not a driver's, or (of a `delegate`) ask no server."""

BY_FORCE = "_parts"
"""The function that takes a client apart when its stop did not end; no site of its own."""


def sites() -> set[str]:
    """Every site, as `package.Class.function: method`."""
    return {site for package in (mongo, kafka) for path in _files(package) for site in _in(path)}


def blocking() -> set[str]:
    """The sites in functions that run in a thread of the core."""
    return {
        site
        for path in _files(mongo)
        for name, function in _functions(ast.parse(path.read_text()), "")
        if isinstance(function, ast.FunctionDef)
        for site in _of(path, name, function)
    }


def unknown() -> list[str]:
    """What is awaited, or asked of PyMongo, and neither the core's own nor known here."""
    asked = [
        (path, node.value, _names(METHODS))
        for package in (mongo, kafka)
        for path in _files(package)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Await) and isinstance(node.value, ast.Call)
    ]
    asked += [
        (path, node, _names(BLOCKING) | SILENT)
        for path in _files(mongo)
        for _, function in _functions(ast.parse(path.read_text()), "")
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in _PYMONGO
    ]
    return [
        f"{path.name}:{call.lineno}: {ast.unparse(call)}"
        for path, call, known in asked
        if isinstance(call.func, ast.Attribute) and call.func.attr not in known
        if not _is_own(call.func.value)
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


_PYMONGO = {
    name
    for owner in (MongoClient, ClientSession, Database, Collection, CommandCursor, Cursor)
    for name, _ in inspect.getmembers(owner, callable)
    if not name.startswith("_")
}


def _in(path: Path) -> Iterator[str]:
    for name, function in _functions(ast.parse(path.read_text()), ""):
        yield from _of(path, name, function)


def _of(path: Path, name: str, function: ast.AST) -> Iterator[str]:
    asked = _names(METHODS if isinstance(function, ast.AsyncFunctionDef) else BLOCKING)
    for node in ast.walk(function):
        if not isinstance(node, ast.Call) or not isinstance(method := node.func, ast.Attribute):
            continue
        if method.attr in asked and not _is_own(method.value):
            yield f"{_PACKAGES[str(path)]}.{name}: {method.attr}"


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
