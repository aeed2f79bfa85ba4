"""Refuses a change of an event that would break a reader (part of make check).

The contracts as the models make them now are held against those of HEAD, of the place where this
branch left origin/main, and of every release (tag v…). Both ways: new code must read what is in
the topics, and code of the last release must read what new code writes. Before the first release
a commit of the new schemas accepts a change; after it, only a new type (…v2) does.
"""

import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from typing import Any

from tools import registry
from tools.git import git
from tools.paths import ROOT, SCHEMAS
from tools.subschema import Problem, Schema, refused
from tools.writer import KEY, writer_schema

Contracts = dict[str, Schema]


def changes(old: Contracts, new: Contracts) -> Iterator[tuple[str, Problem]]:
    """What between two versions would break a reader, by event type."""
    for name, was in sorted(old.items()):
        if name not in new:
            yield name, Problem("$", "is gone: a published type is never taken back")
            continue
        for problem in broken(was, new[name]):
            yield name, problem


def broken(was: Schema, now: Schema) -> Iterator[Problem]:
    """What between two versions of one type would break a reader, in either direction."""
    if was.get(KEY) != now.get(KEY):
        yield Problem("$", f"the key was {was.get(KEY)}, now {now.get(KEY)}: streams would split")
    for problem in refused(reader=now, writer=was):
        yield Problem(problem.path, f"new code, events of before: {problem.reason}")
    for problem in refused(reader=was, writer=now):
        yield Problem(problem.path, f"code of before, new events: {problem.reason}")


def baselines() -> dict[str, Contracts]:
    """The committed contracts by the name of the version that holds them."""
    names = ["HEAD", *git("tag", "--merged", "HEAD", "--list", "v*").split()]
    fork = git("merge-base", "HEAD", "origin/main")
    found: dict[str, tuple[str, Contracts]] = {}
    for name in (*names, *([fork] if fork else [])):
        commit = git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        if commit:
            found.setdefault(commit, (name[:12], _committed(commit)))
    if not found:  # a copy without history: what lies there stands for what was committed
        return {"contracts/schemas": _on_disk()}
    return dict(found.values())


def _committed(commit: str) -> Contracts:
    folder = SCHEMAS.relative_to(ROOT).as_posix()
    if not git("ls-tree", commit, folder):
        return {}
    packed = subprocess.run(
        ["git", "archive", commit, folder], cwd=ROOT, check=True, capture_output=True
    )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        files = [archive.extractfile(member) for member in archive if member.isfile()]
        return _by_type(json.load(file) for file in files if file)


def _on_disk() -> Contracts:
    return _by_type(json.loads(path.read_text("utf-8")) for path in SCHEMAS.glob("*.json"))


def _by_type(schemas: Iterator[dict[str, Any]]) -> Contracts:
    return {schema["$id"].rpartition(":")[2]: schema for schema in schemas}


def main() -> None:
    """Compare, print every reason, and fail if there is one."""
    now = {name: writer_schema(event) for name, event in registry.events().items()}
    faults = 0
    for version, was in baselines().items():
        for name, problem in changes(was, now):
            sys.stdout.write(f"{name} {problem.path}: {problem.reason} (since {version})\n")
            faults += 1
    if faults:
        sys.stdout.write("An event is never changed like this: publish a new type beside it.\n")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
