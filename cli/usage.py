"""What the commands share: their folder, their plan, the running stack, the exit codes."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from deploy.local.plan import Plan
    from deploy.local.stack import Stack

OK, FAILED, NOT_RUNNING = 0, 1, 3
INTERRUPTED = 130

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        envvar="TELAR_DATA_DIR",
        file_okay=False,
        show_default=False,
        help="Where data, keys and logs lie. Default: the user's data folder.",
    ),
]


def folder(data_dir: Path | None) -> Path:
    """The data folder that is meant."""
    from deploy.local import folders

    return (data_dir or folders.default()).expanduser().resolve()


def running(data_dir: Path | None) -> "Stack":
    """The stack that is up on the folder; ends the command when none is."""
    from deploy.local.stack import Stack

    return Stack.find(folder(data_dir)) or not_running(folder(data_dir))


def not_running(where: Path) -> NoReturn:
    """Say that nothing is up, and how to change that."""
    from deploy.local.command import line

    print(f"Nothing is up on {where}: start it with `{line('telar up', where)}`", file=sys.stderr)
    raise typer.Exit(NOT_RUNNING)


def in_words(problem: Exception) -> str:
    """What went wrong, without Python's own words for it."""
    if isinstance(problem, OSError) and problem.strerror:
        where = f": {problem.filename}" if problem.filename else ""
        return f"{problem.strerror}{where}"
    return str(problem)


def plan(replicas: list[str], without: list[str], *, throw_away: bool) -> "Plan":
    """What is to run, checked against the services that there are."""
    from deploy.local.plan import Plan

    counts = dict(_count(text) for text in replicas)
    for name in (*counts, *without):
        known(name)
    return Plan(counts, frozenset(without), throw_away=throw_away)


def _count(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not (number.isdecimal() and 1 <= int(number) <= 9):
        raise typer.BadParameter(f"{text!r} is not SERVICE=N with N from 1 to 9")
    return name, int(number)


def known(name: str | None) -> str | None:
    """The service that is named, if there is one of that name; else a usage error names them."""
    from deploy.local import services

    if name is not None and name not in services.names():
        raise typer.BadParameter(f"no service {name!r}; there are {', '.join(services.names())}")
    return name
