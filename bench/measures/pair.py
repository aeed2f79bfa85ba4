"""Both services at once: commands taken by one take effect in the next."""

from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager

from bench import log
from bench.sides import TAKES, TELAR, Process, running
from bench.stage import Stage, ready
from bench.work import SOURCE, SOURCE_TOPIC


@asynccontextmanager
async def pair(
    stage: Stage,
    source: Mapping[str, str] | None = None,
    sink: Mapping[str, str] | None = None,
) -> AsyncIterator[tuple[Process, Process]]:
    """Source and sink on databases and topics of their own, ready; each with its variables."""
    await stage.drop(SOURCE)
    name = stage.sink()
    topics = SOURCE_TOPIC, f"telar.{name}"
    await log.create(stage.place.kafka, *topics)
    with ExitStack() as both:
        first, second = (
            both.enter_context(running(side, stage.place, name, more))
            for side, more in ((TAKES, source), (TELAR, sink))
        )
        for process in (first, second):
            await ready(process)
        yield first, second
    await log.delete(stage.place.kafka, *topics)
    await stage.drop(name)
