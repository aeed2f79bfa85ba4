"""Modules of the product with fragments of their source replaced, in this process's memory alone.

Install before anything of the product is imported. A fragment that is not there exactly once is
an error: a patch that no longer breaks anything would prove nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Patch:
    """A known fault: what it changes, and the invariant that must be seen to break."""

    name: str
    invariant: str
    changes: tuple[tuple[str, str, str], ...]
    """Module, fragment, what stands there instead."""
    seed: int = 0
    """One on which it shows: the first that is tried where time is short."""


class Patched:
    """The sources of the product under a patch, or without one."""

    def __init__(self, patch: Patch | None) -> None:
        self.patch = patch

    def modules(self) -> set[str]:
        """The modules that are not as they stand in the repository."""
        return {module for module, _, _ in self.patch.changes} if self.patch else set()

    def source(self, module: str) -> str:
        """The source of a module; `LookupError` when a fragment is not there exactly once."""
        text = file_of(module).read_text()
        for name, old, new in self.patch.changes if self.patch else ():
            if name == module:
                if text.count(old) != 1:
                    raise LookupError(f"{module} has {text.count(old)} times: {old!r}")
                text = text.replace(old, new)
        return text

    def install(self) -> None:
        """Import the changed modules from their changed sources."""
        if early := self.modules() & sys.modules.keys():
            raise RuntimeError(f"imported before the patch: {sorted(early)}")
        for module in self.modules():
            self.source(module)
        sys.meta_path.insert(0, _Finder(self))


def file_of(module: str) -> Path:
    """Where a module's source stands."""
    return ROOT / (module.replace(".", "/") + ".py")


class _Finder(MetaPathFinder):
    def __init__(self, patched: Patched) -> None:
        self._patched = patched

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self._patched.modules():
            return None
        file = str(file_of(name))
        return spec_from_file_location(name, file, loader=_Loader(name, file, self._patched))


class _Loader(SourceFileLoader):
    def __init__(self, name: str, file: str, patched: Patched) -> None:
        super().__init__(name, file)
        self._patched = patched

    def get_code(self, fullname: str) -> object:  # pyrefly: ignore[bad-override]
        return compile(self._patched.source(fullname), self.path, "exec")
