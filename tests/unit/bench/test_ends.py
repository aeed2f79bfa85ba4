"""However a run of the bench ends, nothing that it started goes on."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ORPHANS = """
import signal, sys
from pathlib import Path
from bench.sides import Place, Side, running
with running(Side("it", ("http.server", "0")), Place("", "", Path(sys.argv[1])), "it") as process:
    print(process.child.pid, flush=True)
    signal.pause()
"""
WAITS = """
import asyncio, contextlib
import bench.__main__ as bench

@contextlib.asynccontextmanager
async def stage():
    try:
        yield None
    finally:
        print("all is ended", flush=True)

async def measure(stage, plan):
    print("begun", flush=True)
    await asyncio.Event().wait()

bench.stage, bench.MEASURES = stage, {"it": measure}
bench.main(["it"])
"""


@contextmanager
def python(code: str, *words: str) -> Iterator["subprocess.Popen[str]"]:
    started = subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, text=True
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def test_a_side_ends_with_the_run_that_was_killed(tmp_path: Path) -> None:
    with python(ORPHANS, str(tmp_path)) as bench:
        assert bench.stdout
        side = os.pidfd_open(int(bench.stdout.readline()))
        bench.kill()
        ended = bool(select.select([side], list[int](), list[int](), 20)[0])
        if not ended:
            signal.pidfd_send_signal(side, signal.SIGKILL)
        os.close(side)
    assert ended


def test_a_run_that_is_told_to_end_ends_what_it_started() -> None:
    with python(WAITS) as bench:
        assert bench.stdout
        assert "begun" in bench.stdout.readline()
        bench.terminate()
        assert "all is ended" in bench.stdout.read()
        assert bench.wait(20) == 128 + signal.SIGTERM
