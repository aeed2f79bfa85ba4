"""Every operation of every service, found from the committed OpenAPI documents."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tools.examples import example
from tools.paths import SERVICES

Schema = dict[str, Any]
UNKNOWN = "00000000-0000-4000-8000-000000000000"
"""A well-formed id of nothing."""


@dataclass(frozen=True)
class Operation:
    """One route: how it is called, by whom, and with what."""

    service: str
    method: str
    path: str
    roles: frozenset[str]
    params: tuple[str, ...] = ()
    """The names in its path."""
    query: tuple[str, ...] = ()
    body: Schema | None = field(default=None, hash=False)
    """The schema of its body with its definitions; None where it takes none."""

    @property
    def is_command(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"

    @property
    def name(self) -> str:
        """As it stands in a failure."""
        return f"{self.method} {self.path}"

    @property
    def role(self) -> str:
        """One that may call it: an officer where there is one, so that nothing is hidden."""
        return min(self.roles, key=lambda role: (role in ("applicant", "promoter"), role))

    def at(self, **values: str) -> str:
        """Its path, with these values where it has names; unknown ones elsewhere."""
        return re.sub(r"\{(\w+)\}", lambda m: values.get(m[1]) or _value(m[1]), self.path)

    def example(self) -> Any:
        """A body of the right shape, or None."""
        try:
            return None if self.body is None else example(self.body)
        except SystemExit as none:  # it would end the run and not the test
            raise AssertionError(str(none)) from None

    def other_example(self) -> Any:
        """Another body of the right shape."""
        assert self.body is not None
        for name, schema in self.body["properties"].items():
            if (value := _other(schema, self.body["$defs"])) is not None:
                return self.example() | {name: value}
        raise AssertionError(f"teach tests/support/operations.py another body for {self.name}")


def _value(name: str) -> str:
    return "1" if name == "tranche" else UNKNOWN


def _other(schema: Schema, defs: Schema) -> Any:
    """A value that an example does not have, or None."""
    match schema:
        case {"$ref": ref}:
            return _other(defs[ref.rpartition("/")[2]], defs)
        case {"anyOf": [first, *_]}:
            return _other(first, defs)
        case {"enum": [_, second, *_]}:
            return second
        case {"type": "string", "maxLength": most} if most >= len(UNKNOWN):
            return UNKNOWN
        case {"type": "integer", "maximum": most}:
            return int(most)
        case {"type": "array", "items": inner}:
            return None if (value := _other(inner, defs)) is None else [value]
        case {"type": "string", "pattern": pattern} if re.search(pattern, UNKNOWN):
            return UNKNOWN
    return None


def operations(service: str) -> list[Operation]:
    """All of one service."""
    document = json.loads((SERVICES / service / "openapi.json").read_text("utf-8"))
    return list(_found(service, document))


def services() -> list[str]:
    """Those that have a document."""
    return sorted(file.parent.name for file in SERVICES.glob("*/openapi.json"))


def _found(service: str, document: Schema) -> Iterator[Operation]:
    defs = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            given = one.get("parameters", [])
            yield Operation(
                service,
                method.upper(),
                path,
                frozenset(one["x-telar-roles"]),
                tuple(param["name"] for param in given if param["in"] == "path"),
                tuple(param["name"] for param in given if param["in"] == "query"),
                _body(one, defs),
            )


def _body(operation: Schema, defs: Schema) -> Schema | None:
    if "requestBody" not in operation:
        return None
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return {**defs[schema["$ref"].rpartition("/")[2]], "$defs": defs}
