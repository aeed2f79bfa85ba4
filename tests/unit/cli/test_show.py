"""Tables show what others have written as it is."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from cli import show
from deploy.local.stack import Stack


@pytest.mark.parametrize("is_terminal", [True, False])
@pytest.mark.parametrize(
    "cell", ["[/x]", "a[b]c", "[red]", "back\\", "[link=x]y[/link]", ":smile:"]
)
def test_a_cell_with_brackets_is_no_markup(cell: str, *, is_terminal: bool) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=is_terminal, width=80, color_system=None)
    show.table(console, ("key", "state"), [(cell, "ready")])
    assert out.getvalue().splitlines()[1].split() == [cell, "ready"]


def test_a_state_has_its_colour_on_a_terminal() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, color_system="standard")
    show.table(console, ("state",), [("failed",), ("other",)])
    assert "\x1b[31mfailed" in out.getvalue()


def test_what_to_try_next_is_on_the_stack_that_is_welcomed(tmp_path: Path) -> None:
    out = io.StringIO()
    stack = Stack("ready", tmp_path, "k:1", "m:1", "http://gateway", {}, [])
    show.welcome(Console(file=out, soft_wrap=True), stack)
    tries = out.getvalue().partition("Try next:\n")[2].splitlines()
    assert [f"--data-dir {tmp_path} " in one for one in tries] == [True] * 4
