"""Writes the generated documents (make schemas), or tells which are stale (--check)."""

import argparse
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools import asyncapi, catalogue, registry
from tools.paths import CONTRACTS, ROOT, SCHEMAS, SERVICES, services
from tools.writer import writer_schema

Output = tuple[Path, str]


def outputs() -> Iterator[Output]:
    """Every generated file and its text. The gateway comes last: it is made from the others."""
    yield from contracts()
    for name in sorted(services(), key=lambda name: (name == "gateway", name)):
        yield SERVICES / name / "openapi.json", as_text(openapi(name))


def contracts() -> Iterator[Output]:
    """What follows from the events: schemas, the AsyncAPI document, the catalogue."""
    schemas = {name: writer_schema(event) for name, event in registry.events().items()}
    consumers = registry.consumers()
    for name, schema in schemas.items():
        yield SCHEMAS / f"{name}.json", as_text(schema)
    yield CONTRACTS / "asyncapi.json", as_text(asyncapi.document(schemas, consumers))
    yield ROOT / "docs" / "events.md", catalogue.page(schemas, consumers)


def openapi(service: str) -> dict[str, Any]:
    """A service's HTTP interface with the texts of its codes (`x-telar-codes`)."""
    module = importlib.import_module(f"services.{service}.app")
    codes = SERVICES / service / "codes.json"
    texts = json.loads(codes.read_text("utf-8")) if codes.exists() else {}
    return {**module.SERVICE.openapi(), "x-telar-codes": dict(sorted(texts.items()))}


def as_text(document: Any) -> str:
    """JSON as it is committed."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def orphans(made: set[Path]) -> list[Path]:
    """Schemas of types that are no more."""
    return sorted(set(SCHEMAS.glob("*.json")) - made)


def write() -> None:
    """Bring every generated file up to date, and say which changed."""
    made = set()
    for path, text in outputs():
        made.add(path)
        if not _same(path, text):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            _say(f"written  {path.relative_to(ROOT)}")
    for path in orphans(made):
        path.unlink()
        _say(f"removed  {path.relative_to(ROOT)}")


def check() -> int:
    """How many generated files differ from what would be made now; each is named."""
    texts = dict(outputs())
    stale = [path for path, text in texts.items() if not _same(path, text)]
    for path in (*stale, *orphans(set(texts))):
        _say(f"{path.relative_to(ROOT)} is stale: run `make schemas` and commit what it writes")
    return len(stale) + len(orphans(set(texts)))


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_text("utf-8") == text


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main() -> None:
    """Write, or with --check only compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        sys.exit(1 if check() else 0)
    write()


if __name__ == "__main__":
    main()
