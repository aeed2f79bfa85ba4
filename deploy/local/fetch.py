"""Brings Kafka into the user's cache, checked against the lock (python -m deploy.local.fetch)."""

import logging
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.local import aot, jars
from deploy.local.processes import DiedEarly

if TYPE_CHECKING:
    from deploy.local.report import Report

_TRIES = 3
_THREADS = 8


class NotFetched(Exception):
    """Kafka is not in the cache and could not be brought; the message says what to do."""


def fetch(report: "Report | None" = None) -> None:
    """Make sure that Kafka is in the cache and starts fast; quick when it is."""
    if not jars.missing() and jars.aot_cache().exists():
        return
    if report is None:
        from deploy.local.report import Report  # noqa: PLC0415 - slow, and rarely needed

        report = Report()
    for jar in jars.spoilt():  # copied from another machine, or hurt where it lies
        report.say(f"{jar.name} is not the file that the lock names: fetched again")
        jar.path.unlink()
    if jars.missing():
        _fetch_jars(jars.missing(), report)
    try:
        with report.step("Start-up cache of Kafka, once"):
            aot.build()
    except (DiedEarly, OSError) as problem:  # it only saves time
        reason = str(problem).partition("\n")[0]
        report.say(f"Kafka starts more slowly, without its start-up cache: {reason}")


def _fetch_jars(missing: list[jars.Jar], report: "Report") -> None:
    jars.folder().mkdir(parents=True, exist_ok=True)
    size = sum(jar.size for jar in missing)
    with (
        report.step("Apache Kafka from the package registry"),
        report.download(f"{len(missing)} jars", size) as advance,
        ThreadPoolExecutor(_THREADS) as pool,
    ):
        failures = list(filter(None, pool.map(partial(_bring, advance), missing)))
        if failures:
            raise NotFetched(_excuse(failures, len(missing)))
    # It holds for the jars as they were.
    jars.aot_cache().unlink(missing_ok=True)


def _excuse(failures: list[str], count: int) -> str:
    return (
        f"Kafka could not be fetched: {len(failures)} of {count} jars failed.\n"
        f"  First cause: {failures[0]}\n"
        "  Connect to the package registry once and run this again, or copy the folder\n"
        f"  {jars.folder()} from a machine that has it and let `telar doctor`\n"
        "  compare it with the lock. What came is kept."
    )


def _bring(advance: Callable[[int], None], jar: jars.Jar) -> str | None:
    """One jar into the cache; the reason, in words, if it cannot be had."""
    reason = ""
    for _ in range(_TRIES):
        try:
            # A fresh folder a try: the resolver takes any file that it finds for a whole one.
            with tempfile.TemporaryDirectory(dir=jars.folder()) as scratch:
                file = _download(jar, Path(scratch), advance)
                if sha256(file.read_bytes()).hexdigest() == jar.digest:
                    file.replace(jar.path)
                    return None
                reason = f"{jar.name} is not the file that the lock names"
        except Exception as error:
            reason = f"{jar.name}: {_in_short(error)}"
    return reason


def _download(jar: jars.Jar, scratch: Path, advance: Callable[[int], None]) -> Path:
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - slow, rarely needed

    @contextmanager
    def progress(name: str, size: int) -> Iterator[Callable[[int], None]]:
        yield advance

    logging.getLogger("jgo").setLevel(logging.ERROR)
    context = MavenContext(PythonResolver(progress_callback=progress), scratch, local_repos=[])
    return context.create_dependency(jar.coordinate).artifact.resolve()


def _in_short(error: Exception) -> str:
    text = type(error).__name__
    return {
        "ConnectionError": "no connection",
        "ProxyError": "no connection",
        "ConnectTimeout": "no answer",
        "ReadTimeout": "no answer",
        "SSLError": "the certificate was not accepted",
        "RuntimeError": "not found in the registry",
    }.get(text, text)


def main() -> int:
    """Fetch; 1 with the reason on standard error when it cannot be done."""
    try:
        fetch()
    except (NotFetched, OSError) as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
