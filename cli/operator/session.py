"""One command of an operator: the running stack, its API, what is printed, the exit code."""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from cli import usage
from cli.operator.api import Api, Denied


class Session:
    """The API of the stack on a folder, and how this command prints."""

    def __init__(self, api: Api, data: Path, *, as_json: bool) -> None:
        self.api, self._data, self.as_json = api, data, as_json

    def services(self, one: str | None = None) -> list[str]:
        """The service that is named, or all."""
        from deploy.local import services

        return [one] if one else services.names()

    def rows(self, found: Iterable[dict[str, Any]], heads: Sequence[str], none: str) -> int:
        """Print things, one a line, and what it means that there are none."""
        listed = list(found)
        if self.as_json:
            print(json.dumps(listed, indent=1))
            return usage.OK
        if not listed:
            print(none, file=sys.stderr)
            return usage.OK
        from rich.console import Console

        from cli import show

        rows = [[_cell(one.get(head)) for head in heads] for one in listed]
        show.table(Console(soft_wrap=True, highlight=False), heads, rows)
        return usage.OK

    def thing(self, found: dict[str, Any]) -> int:
        """Print one thing, a field a line."""
        if self.as_json:
            print(json.dumps(found, indent=1))
            return usage.OK
        width = max(map(len, found))
        for name, value in found.items():
            for line, text in enumerate(_lines(value)):
                print(f"{name if not line else '':<{width}}  {text}")
        return usage.OK

    def line(self, command: str) -> str:
        """A command to be run next, as it can be pasted; anything else as it is."""
        from deploy.local import command as typed

        return typed.line(command, self._data)

    def say(self, text: str) -> None:
        """A word about what is going on."""
        print(text, file=sys.stderr)


def run(data_dir: Path | None, work: Callable[[Session], int], *, as_json: bool = False) -> int:
    """Do it on the stack that is up; a refusal is one line and exit code 1."""
    stack = usage.running(data_dir)
    try:
        with Api.of(stack) as api:
            return work(Session(api, stack.data, as_json=as_json))
    except KeyboardInterrupt:
        return usage.INTERRUPTED
    except Denied as denied:
        if as_json:
            print(json.dumps({"error": denied.code}))
        print(f"✗ {denied}", file=sys.stderr)
        return usage.FAILED


def _cell(value: Any) -> str:
    if type(value) in (list, dict):
        return json.dumps(value)
    return "-" if value in (None, "") else str(value)


def _lines(value: Any) -> list[str]:
    if isinstance(value, list) and value:
        return [_cell(one) for one in value]
    return [_cell(value)]
