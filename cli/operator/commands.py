"""The operator's commands and their options; what they do is imported when one is run."""

from typing import Annotated

import typer

from cli.usage import DataDir, known

parked = typer.Typer(help="Keys that wait.", no_args_is_help=True, rich_markup_mode=None)
quarantine = typer.Typer(
    help="Records without a valid place.", no_args_is_help=True, rich_markup_mode=None
)
adopt = typer.Typer(
    help="Decide between two histories.", no_args_is_help=True, rich_markup_mode=None
)
breaker = typer.Typer(
    help="A consumer that stopped, since nearly everything fails.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print data instead of text.")]
Service = Annotated[str, typer.Argument(help="As `telar status` names it.", callback=known)]
OneService = Annotated[
    str | None,
    typer.Argument(help="Only this one.", show_default=False, metavar="[SERVICE]", callback=known),
]
Topic = Annotated[str, typer.Option("--topic", metavar="T", help="grants, or telar.grants.")]
OwnTopic = Annotated[
    str,
    typer.Option(
        "--topic",
        metavar="T",
        help="grants, or telar.grants.",
        callback=lambda topic: known(topic.removeprefix("telar.")),
    ),
]
Key = Annotated[str, typer.Option("--key", metavar="K", help="The key, as it is listed.")]
Reason = Annotated[str, typer.Option("--reason", help="Why: it stands in the audit.")]
Number = Annotated[int, typer.Option("--number", metavar="N", min=1, help="The event to skip.")]
Last = Annotated[
    int | None,
    typer.Option("--last", metavar="N", min=1, help="And all up to this one.", show_default=False),
]


def add_to(app: typer.Typer) -> None:
    """Put these beside the commands of the stack."""
    app.add_typer(parked, name="parked")
    app.add_typer(quarantine, name="quarantine")
    app.add_typer(adopt, name="adopt")
    app.add_typer(breaker, name="breaker")
    for command in (resend, lag, verify, rebuild, backfill):
        app.command()(command)


@parked.command("list")
def parked_list(
    service: OneService = None,
    *,
    why: Annotated[
        str | None,
        typer.Option("--why", help="gap, failed, dead or fork.", show_default=False),
    ] = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """List the keys that wait."""
    from cli.operator import parked, session

    _end(session.run(data_dir, lambda on: parked.listed(on, service, why), as_json=as_json))


@parked.command("show")
def parked_show(
    service: Service, *, topic: Topic, key: Key, as_json: Json = False, data_dir: DataDir = None
) -> None:
    """Show one key and the events that wait, without what is in them."""
    from cli.operator import parked, session

    named = parked.Key(service, topic, key)
    _end(session.run(data_dir, lambda on: parked.shown(on, named), as_json=as_json))


@parked.command("retry")
def parked_retry(  # noqa: PLR0913 - the options of the command
    service: Service,
    *,
    topic: Topic,
    key: Key,
    reason: Reason,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Try the next event of a key again. Exit code 1: it still waits."""
    from cli.operator import parked, session

    named = parked.Key(service, topic, key)
    _end(session.run(data_dir, lambda on: parked.retried(on, named, reason), as_json=as_json))


@parked.command("skip")
def parked_skip(  # noqa: PLR0913 - the options of the command
    service: Service,
    *,
    topic: Topic,
    key: Key,
    number: Number,
    last: Last = None,
    reason: Reason,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Go past the next event for good, or several in a row: their effect here is lost."""
    from cli.operator import parked, session

    named = parked.Key(service, topic, key)

    def skip(on: session.Session) -> int:
        return parked.skipped(on, named, number, last, reason)

    _end(session.run(data_dir, skip, as_json=as_json))


@quarantine.command("list")
def quarantine_list(
    service: OneService = None, *, as_json: Json = False, data_dir: DataDir = None
) -> None:
    """List the records that were set aside."""
    from cli.operator import parked, session

    _end(session.run(data_dir, lambda on: parked.quarantined(on, service), as_json=as_json))


@quarantine.command("show")
def quarantine_show(
    service: Service,
    record: Annotated[str, typer.Argument(help="The id, as it is listed.", metavar="ID")],
    *,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Show where a record stands and its headers, never its value."""
    from cli.operator import parked, session

    _end(session.run(data_dir, lambda on: parked.record(on, service, record), as_json=as_json))


@adopt.command("fork")
def adopt_fork(  # noqa: PLR0913 - the options of the command
    service: Service,
    *,
    topic: Topic,
    key: Key,
    branch: Annotated[str, typer.Option(help="Which holds: kept or arrived.")],
    first: Annotated[
        int | None,
        typer.Option(
            "--from", metavar="N", min=1, help="For arrived: the first number of that branch."
        ),
    ] = None,
    previous: Annotated[
        str | None,
        typer.Option(metavar="HASH", help="For arrived: the hash before it, where unknown here."),
    ] = None,
    reason: Reason,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """End a fork at a consumer: say which branch holds, and from which number."""
    from cli.operator import parked, session

    if branch not in ("kept", "arrived"):
        raise typer.BadParameter(f"no branch {branch!r}; there are kept and arrived")
    if branch == "arrived" and first is None:
        raise typer.BadParameter("the branch that arrived holds --from which number on?")
    named, holds = parked.Key(service, topic, key), parked.Branch(branch, first, previous)
    _end(
        session.run(data_dir, lambda on: parked.adopted(on, named, holds, reason), as_json=as_json)
    )


@adopt.command("topic")
def adopt_topic(
    service: Service, *, reason: Reason, as_json: Json = False, data_dir: DataDir = None
) -> None:
    """Have a publisher that was restored from an old backup go on where its topic ends."""
    from cli.operator import flow, session

    _end(session.run(data_dir, lambda on: flow.adopt_topic(on, service, reason), as_json=as_json))


@breaker.command("pass")
def breaker_pass(
    service: Service, *, reason: Reason, as_json: Json = False, data_dir: DataDir = None
) -> None:
    """Park what fails, however much it is, for ten minutes: the events are at fault."""
    from cli.operator import flow, session

    _end(session.run(data_dir, lambda on: flow.let_pass(on, service, reason), as_json=as_json))


def resend(  # noqa: PLR0913 - the options of the command
    *,
    topic: OwnTopic,
    key: Key,
    first: Annotated[int, typer.Option("--from", metavar="N", min=1, help="The first number.")],
    last: Annotated[
        int | None,
        typer.Option("--to", metavar="N", min=1, help="The last one.", show_default="the end"),
    ] = None,
    reason: Reason,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Send events of a key to Kafka again: who has them already sees their numbers."""
    from cli.operator import flow, session

    _end(
        session.run(
            data_dir,
            lambda on: flow.resend(on, topic, key, (first, last), reason),
            as_json=as_json,
        )
    )


def lag(*, as_json: Json = False, data_dir: DataDir = None) -> None:
    """Show how far each service is behind Kafka. Exit code 1: somebody is."""
    from cli.operator import flow, session

    _end(session.run(data_dir, flow.lag, as_json=as_json))


def verify(
    *,
    views: Annotated[
        bool, typer.Option("--views/--no-views", help="Make the views anew, and compare.")
    ] = True,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Compare everything with everything. Exit code 1: something differs, and what mends it."""
    from cli.operator import session, verify

    _end(session.run(data_dir, lambda on: verify.verify(on, views=views), as_json=as_json))


def rebuild(
    *,
    reason: Reason,
    compare: Annotated[
        bool, typer.Option("--compare", help="Say what differs; change nothing.")
    ] = False,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Make the gateway's views anew from the topics, beside the live ones, and swap."""
    from cli.operator import rebuild, session

    _end(
        session.run(
            data_dir, lambda on: rebuild.rebuild(on, reason, compare=compare), as_json=as_json
        )
    )


def backfill(
    service: Service,
    event_type: Annotated[str, typer.Argument(help="telar.grants.award-made.v1", metavar="TYPE")],
    *,
    reason: Reason,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Run a handler that was added later over the events of the past."""
    from cli.operator import flow, session

    _end(
        session.run(
            data_dir, lambda on: flow.backfill(on, service, event_type, reason), as_json=as_json
        )
    )


def _end(code: int) -> None:
    raise typer.Exit(code)
