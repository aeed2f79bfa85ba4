"""How far the demo is: live bars on a terminal, plain lines elsewhere."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Self, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.demo.client import CONCURRENCY

Thing = TypeVar("Thing")


class Display:
    """Named steps, each with what it has done of what it has to do."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description:<34}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    @contextmanager
    def step(self, name: str, total: int) -> Iterator[Callable[[], None]]:
        """A step of the programme; yields what is to be called for each thing done."""
        begun, task = monotonic(), self._bars.add_task(name, total=total)
        yield lambda: self._bars.advance(task)
        self._bars.update(task, completed=total, visible=total > 0)
        if not self._console.is_terminal:
            took = f"{monotonic() - begun:.1f} s"
            self._console.print(f"• {name}: {total} in {took}", markup=False, highlight=False)

    async def each(
        self, name: str, things: Sequence[Thing], do: Callable[[Thing], Awaitable[None]]
    ) -> None:
        """Do this for all of them, so many at the same time as calls may be open.

        Whoever has begun goes on to her end: else all of them would be made an offer before the
        first of them came to answer hers.
        """
        turn = asyncio.Semaphore(CONCURRENCY)
        with self.step(name, len(things)) as tick:

            async def one(thing: Thing) -> None:
                async with turn:
                    await do(thing)
                tick()

            async with asyncio.TaskGroup() as group:
                for thing in things:
                    group.create_task(one(thing))
