"""`telar demo`: runs one programme from call to trade fair and says what it came to."""

import asyncio
import json
from secrets import token_hex
from time import monotonic

from rich.console import Console

from cli import usage
from cli.demo.client import Client, Stuck, Unexpected
from cli.demo.display import Display
from cli.demo.files import women as made
from cli.demo.journey import Journey
from cli.demo.outcome import Outcome
from cli.demo.report import report
from deploy.local.stack import Stack


def demo(stack: Stack, *, women: int, as_json: bool) -> int:
    """Run it against this stack; 1 if an invariant is violated or the programme got stuck."""
    progress = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        outcome = asyncio.run(_run(stack, women, progress))
    except KeyboardInterrupt:
        return usage.INTERRUPTED
    except (Stuck, Unexpected, ExceptionGroup) as error:
        problems = _leaves(error)
        if not all(isinstance(one, Stuck | Unexpected) for one in problems):
            raise
        for problem in problems:
            progress.print(f"✗ {problem}", style="red", markup=False)
        return usage.FAILED
    if as_json:
        print(json.dumps(outcome.data(), indent=1, ensure_ascii=False))
    else:
        report(Console(highlight=False, soft_wrap=True), outcome)
    return usage.OK if outcome.holds else usage.FAILED


async def _run(stack: Stack, count: int, progress: Console) -> Outcome:
    run_id = token_hex(4)
    begun = monotonic()
    async with Client(stack.gateway, stack.keys, run_id) as client:
        with Display(progress) as display:
            journey = Journey(client, display, made(count, run_id))
            await journey.run()
            return await journey.outcome(lambda: monotonic() - begun)


def _leaves(group: BaseException) -> list[BaseException]:
    if isinstance(group, BaseExceptionGroup):
        return [leaf for inner in group.exceptions for leaf in _leaves(inner)]
    return [group]
