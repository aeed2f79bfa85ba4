"""What somebody is told to run can be run as it is, and acts on the stack that was looked at."""

import shlex
import sys
from pathlib import Path

import pytest

from cli.operator.session import Session
from deploy.local import command, folders
from tests.unit.cli.operator_api import Script

RETRY = "telar parked retry grants --topic trade '--key=a b' --reason \"it was early\""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command in a folder with a blank in its name, which is not searched for commands."""
    there = tmp_path / "a checkout" / "bin" / "telar"
    there.parent.mkdir(parents=True)
    there.write_text("#!/bin/sh\n")
    there.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(there.with_name("python")))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    return there


@pytest.mark.usefixtures("installed")
def test_a_command_is_named_by_the_way_to_it() -> None:
    words = shlex.split(command.line(RETRY, folders.default().resolve()))
    assert words == ["a checkout/bin/telar", *shlex.split(RETRY)[1:]]


def test_a_command_that_is_found_everywhere_is_named_shortly(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(installed.parent))
    assert command.line(RETRY, folders.default().resolve()) == RETRY


def test_a_command_in_this_very_folder_is_one_for_a_shell(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(installed.parent)
    assert command.line("telar status", folders.default().resolve()) == "./telar status"


@pytest.mark.parametrize("wish", ["", "it's here"])
def test_another_folder_than_the_usual_one_is_named(
    installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wish: str
) -> None:
    """Also the one that this shell names: another may be where it is pasted."""
    monkeypatch.setenv("PATH", str(installed.parent))
    monkeypatch.setenv("TELAR_DATA_DIR", str(tmp_path / wish))
    told = command.line(RETRY, tmp_path / "it's here")
    assert shlex.split(told) == [*shlex.split(RETRY), "--data-dir", f"{tmp_path}/it's here"]


def test_what_is_no_command_stays_as_it_is(tmp_path: Path) -> None:
    assert command.line("docs/runbooks/lag.md", tmp_path) == "docs/runbooks/lag.md"


def test_what_an_operator_is_told_names_the_stack_that_was_looked_at(tmp_path: Path) -> None:
    told = Session(Script(tmp_path).api, tmp_path, as_json=True).line("telar status")
    assert told.endswith(f"telar status --data-dir {tmp_path}")
