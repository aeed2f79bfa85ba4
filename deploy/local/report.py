"""Says what is going on: steps and bars on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn


class Report:
    """Where the stack tells a person, or a log, how far it is."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """A line of its own."""
        self.console.print(f"  {text}", markup=False)

    @contextmanager
    def step(self, text: str, done: str = "") -> Iterator[None]:
        """A named step; when it is done its line says so and how long it took."""
        begun = time.monotonic()
        live = self.console.is_terminal
        with self.console.status(f"{text} …") if live else _nothing():
            yield
        took = f"{time.monotonic() - begun:.1f} s"
        self.console.print(f"[green]✓[/green] {done or text} [dim]{took}[/dim]")

    @contextmanager
    def download(self, text: str, size: int) -> Iterator[Callable[[int], None]]:
        """A bar in bytes; yields what is to be called with the bytes that came."""
        columns = (TextColumn("  {task.description}"), BarColumn(), DownloadColumn())
        bar = Progress(*columns, TimeRemainingColumn(), console=self.console, transient=True)
        if not self.console.is_terminal:
            self.say(f"{text}: {size / 1e6:.0f} MB")
            yield lambda count: None
            return
        with bar:
            task = bar.add_task(text, total=size)
            yield lambda count: bar.advance(task, count)


@contextmanager
def _nothing() -> Iterator[None]:
    yield
