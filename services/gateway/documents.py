"""The services' committed OpenAPI documents, found by folder: one public document, all codes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PUBLIC = "/v1"
_SERVICES = Path(__file__).parents[1]
_PLATFORM_CODES = Path(__file__).parents[2] / "shared" / "chassis" / "codes.json"
_OWN = Path(__file__).with_name("public.json")

Document = dict[str, Any]


def committed(folder: Path = _SERVICES) -> dict[str, Document]:
    """The documents of all services, the gateway's own among them."""
    files = sorted(folder.glob("*/openapi.json"))
    return {file.parent.name: json.loads(file.read_text("utf-8")) for file in files}


def codes(documents: Mapping[str, Document], platform: Path = _PLATFORM_CODES) -> dict[str, str]:
    """The es-MX text of every code. Raises `ValueError` when one has two texts."""
    merged: dict[str, str] = json.loads(platform.read_text("utf-8"))
    doubled = [
        f"{code} ({service})"
        for service, document in documents.items()
        for code, text in document.get("x-telar-codes", {}).items()
        if merged.setdefault(code, text) != text
    ]
    if doubled:
        raise ValueError(f"codes with another text elsewhere: {', '.join(sorted(doubled))}")
    return dict(sorted(merged.items()))


def merge(documents: Mapping[str, Document]) -> Document:
    """One document for the public API; names of schemas and operations bear their service."""
    own = json.loads(_OWN.read_text("utf-8"))
    paths: Document = own["paths"]
    schemas: Document = own["components"]["schemas"]
    for service, document in documents.items():
        named = _named(document, service)
        for path, operations in named["paths"].items():
            paths.setdefault(PUBLIC + path, {}).update(operations)
        for name, schema in named.get("components", {}).get("schemas", {}).items():
            schemas[f"{service}.{name}"] = schema
    return own


def _named(node: Any, service: str) -> Any:
    if isinstance(node, list):
        return [_named(one, service) for one in node]
    if not isinstance(node, dict):
        return node
    named = {key: _named(value, service) for key, value in node.items()}
    ref = named.get("$ref")
    if isinstance(ref, str):
        named["$ref"] = ref.replace("#/components/schemas/", f"#/components/schemas/{service}.")
    operation = named.get("operationId")
    if isinstance(operation, str):
        named["operationId"] = f"{service}_{operation}"
    return named
