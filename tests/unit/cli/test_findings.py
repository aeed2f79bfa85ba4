"""A line that verify prints can be run as it is."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from typer.testing import CliRunner

from cli import usage
from cli.app import app
from cli.operator import findings
from cli.operator.findings import Finding
from cli.operator.positions import Place
from shared.chassis.operations.orders import Reason

KEY = "o'hara $(id) [/x]"
PARKED = {"topic": "telar.trade", "key": KEY, "code": "", "position": [3, "x"]}


def waits(why: str, there: Place | None = None, **fork: Any) -> Finding:
    return findings.parked("grants", PARKED | {"reason": why, "fork": fork, "events": []}, there)


FOUND = [
    findings.wait_or_resend("grants", "trade", KEY, 3, 5),
    findings.forked("grants", "trade", KEY, 3),
    findings.ahead("grants", "trade", KEY, 5, 3),
    waits("gap"),
    waits("failed"),
    waits("dead"),
    waits("fork", sequence=7, id="e7", digest="y"),
    waits("fork", Place(4, "y"), sequence=4, id="e4", digest="y"),
    waits("fork", Place(3, "x"), sequence=4, id="e4", digest="y"),
    waits("fork", sequence=7, digest="x"),
    findings.lost("trade", KEY, 2, 5),
    findings.unknown("trade", KEY, 5, 2),
]


@pytest.mark.parametrize("found", FOUND)
def test_what_mends_it_is_a_whole_command(tmp_path: Path, found: Finding) -> None:
    telar, *words = shlex.split(found.mend)
    assert telar == "telar"
    done = CliRunner().invoke(app, [*words, "--data-dir", str(tmp_path)])
    assert done.exit_code == usage.NOT_RUNNING, done.output
    TypeAdapter(Reason).validate_python(words[words.index("--reason") + 1])
    assert f"--key={KEY}" in words or words[:2] == ["adopt", "topic"]
