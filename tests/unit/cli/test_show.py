"""Tables show what others have written as it is."""

import io

import pytest
from rich.console import Console

from cli import show


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
