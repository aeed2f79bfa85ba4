"""The commands and their options; what they do is imported when one is run."""

from pathlib import Path
from typing import Annotated

import typer

from cli import usage
from cli.operator import commands
from cli.usage import DataDir

app = typer.Typer(
    name="telar",
    help="Telar on one machine: start it, look at it, try it, mend it, stop it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # the help alone would cost a quarter of a second more
    pretty_exceptions_enable=False,
)
keys = typer.Typer(help="The keys that sign tokens.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(keys, name="keys")

Json = Annotated[bool, typer.Option("--json", help="Print data instead of text.")]


@app.command()
def up(  # noqa: PLR0913 - the options of the command
    *,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when all is ready; stop with `down`.")
    ] = False,
    ephemeral: Annotated[
        bool, typer.Option("--ephemeral", help="Use a throw-away data folder.")
    ] = False,
    demo: Annotated[bool, typer.Option("--demo", help="Run the demo when all is ready.")] = False,
    women: Annotated[int, typer.Option(min=1, help="Women in the demo.")] = 200,
    then_down: Annotated[
        bool, typer.Option("--then-down", help="Stop after the demo, with its exit code.")
    ] = False,
    replicas: Annotated[
        list[str], typer.Option(metavar="SERVICE=N", help="Processes of a service. Repeatable.")
    ] = [],  # noqa: B006 - never changed
    without: Annotated[
        list[str], typer.Option(metavar="SERVICE", help="Leave it to your debugger. Repeatable.")
    ] = [],  # noqa: B006 - never changed
    data_dir: DataDir = None,
) -> None:
    """Start MongoDB, Kafka and all services; Ctrl-C stops them, a second one at once."""
    from cli.background import detached
    from cli.up import Wish, foreground

    if detach and (demo or then_down or ephemeral):
        raise typer.BadParameter("--detach goes with neither --demo, --then-down nor --ephemeral")
    plan = usage.plan(replicas, without, throw_away=ephemeral)
    wish = Wish(usage.folder(data_dir), plan, women if demo else 0, then_down)
    raise typer.Exit(detached(wish) if detach else foreground(wish))


@app.command()
def down(data_dir: DataDir = None) -> None:
    """Stop the stack, and what a killed one has left."""
    from cli.down import down as command

    raise typer.Exit(command(usage.folder(data_dir)))


@app.command()
def status(*, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Show every process. Exit code 0: all ready; 1: not all; 3: not running."""
    from cli.status import status as command

    raise typer.Exit(command(usage.folder(data_dir), as_json=as_json))


@app.command()
def logs(
    service: Annotated[str, typer.Argument(help="As `telar status` names it.")],
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Last lines to show.")] = 50,
    data_dir: DataDir = None,
) -> None:
    """Print the log of one process."""
    from cli.logs import logs as command

    raise typer.Exit(command(usage.folder(data_dir), service, lines, follow=follow))


@app.command()
def env(data_dir: DataDir = None) -> None:
    """Print the addresses as variables, for other clients."""
    stack = usage.running(data_dir)
    print(f"TELAR_KAFKA={stack.kafka}")
    print(f"TELAR_MONGO={stack.mongo}")
    print(f"TELAR_GATEWAY={stack.gateway}")


@app.command()
def token(
    role: Annotated[list[str], typer.Option(help="What the bearer may do. Repeatable.")],
    *,
    subject: Annotated[str, typer.Option(help="Who the bearer is.")] = "someone",
    on_behalf_of: Annotated[
        str | None, typer.Option(help="Whom a promoter acts for.", show_default=False)
    ] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="A token to fetch access tokens with.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Print a token for the API; it needs no running stack, only its keys."""
    from cli.tokens import token as command

    print(command(usage.folder(data_dir), subject, role, on_behalf_of, refresh=refresh))


@keys.command()
def rotate(data_dir: DataDir = None) -> None:
    """Publish a new signing key; tokens signed with the old one stay good until they end."""
    from cli.tokens import rotate as command

    print(command(usage.folder(data_dir)))


@app.command()
def demo(
    *,
    women: Annotated[int, typer.Option(min=1, help="How many women take part.")] = 200,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Run a whole programme through the public API of a stack that is up."""
    stack = usage.running(data_dir)
    from cli.demo.main import demo as command

    raise typer.Exit(command(stack, women=women, as_json=as_json))


@app.command()
def doctor(*, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Check this machine: what is wrong and what to do. Exit code 1 if something is."""
    from cli.doctor import doctor as command

    raise typer.Exit(command(usage.folder(data_dir), as_json=as_json))


@app.command()
def reset(
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Delete all data, keys and logs of a stack that is down."""
    from cli.reset import reset as command

    raise typer.Exit(command(usage.folder(data_dir), sure=yes))


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not be there.")],
    *,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Write all data and keys, as of one instant, to a file; the stack may be up or down."""
    from cli.backup import backup as command

    raise typer.Exit(command(usage.folder(data_dir), file, as_json=as_json))


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `telar backup` has written.")],
    *,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Put a backup in the place of the data of a stack that is down; that is moved aside."""
    from cli.backup import restore as command

    raise typer.Exit(command(usage.folder(data_dir), file, as_json=as_json))


commands.add_to(app)
