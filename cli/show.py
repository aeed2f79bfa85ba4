"""Tables: drawn on a terminal, plain aligned lines elsewhere."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.local.command import line
from deploy.local.stack import Stack

_COLOURS = {"ready": "green", "ok": "green", "failed": "red", "bad": "red", "stopped": "dim"}


def table(console: Console, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows under heads; a word that is a state has its colour."""
    if not console.is_terminal:
        widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
        for row in (heads, *rows):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            print("  ".join(cells).rstrip(), file=console.file)
        return
    drawn = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1))
    for head in heads:
        drawn.add_column(head, overflow="fold")  # an address that is cut is none
    for row in rows:
        drawn.add_row(*(_coloured(cell) for cell in row))
    console.print(drawn)


def _coloured(cell: str) -> Text:
    """Text and no markup: what others have written may hold brackets."""
    return Text(cell, style=_COLOURS.get(cell, ""))


def welcome(console: Console, stack: Stack) -> None:
    """Where everything is, and what to try next."""
    rows = [("gateway", stack.gateway), ("  documents", f"{stack.gateway}/docs")]
    rows += [
        (name, " ".join(urls)) for name, urls in sorted(stack.services.items()) if name != "gateway"
    ]
    rows += [("Kafka", stack.kafka), ("MongoDB", stack.mongo), ("data", str(stack.data))]
    console.print()
    table(console, ("what", "where"), rows)
    tries = (
        ("telar token --role operator", 'a token: curl -H "Authorization: Bearer $(…)"'),
        ("telar demo", "a programme from call to trade fair, with its numbers"),
        ("telar status", "processes, memory, restarts"),
        ("telar logs grants -f", "the log of a service"),
    )
    named = [(line(command, stack.data), what) for command, what in tries]
    width = max(len(command) for command, _ in named)
    console.print("\nTry next:")
    for command, what in named:
        console.print(f"  {command:<{width}}  {what}", markup=False, highlight=False)
