"""The command line: options, exit codes, what is printed without a stack."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli import usage
from cli.app import app
from deploy.local import prerequisites, services
from deploy.local.folders import Folders
from deploy.local.services import Instance, Surroundings

RUN = CliRunner()


def test_every_command_has_help() -> None:
    listed = RUN.invoke(app, ["--help"]).output
    for name in (
        "up",
        "down",
        "status",
        "logs",
        "env",
        "token",
        "demo",
        "doctor",
        "reset",
        "keys",
        "backup",
        "restore",
    ):
        assert name in listed
        assert RUN.invoke(app, [name, "--help"]).exit_code == 0


def test_help_is_quick_because_it_imports_nothing_of_the_stack() -> None:
    loaded = "import sys, cli.app; print([m for m in sys.modules if m.startswith('deploy')])"
    output = subprocess.run([sys.executable, "-c", loaded], capture_output=True, check=True)
    assert output.stdout.strip() == b"[]"


@pytest.mark.parametrize("command", [["status"], ["env"], ["demo"]])
def test_without_a_stack_the_exit_code_is_three(tmp_path: Path, command: list[str]) -> None:
    done = RUN.invoke(app, [*command, "--data-dir", str(tmp_path)])
    assert done.exit_code == usage.NOT_RUNNING
    assert "telar up" in done.output


def test_status_as_data_without_a_stack(tmp_path: Path) -> None:
    done = RUN.invoke(app, ["status", "--json", "--data-dir", str(tmp_path)])
    assert done.exit_code == usage.NOT_RUNNING
    assert json.loads(done.output)["phase"] == "down"


def test_down_without_a_stack_is_no_error(tmp_path: Path) -> None:
    assert RUN.invoke(app, ["down", "--data-dir", str(tmp_path)]).exit_code == 0


@pytest.mark.parametrize(
    "options",
    [
        ["--replicas", "nobody=2"],
        ["--replicas", "grants=0"],
        ["--replicas", "grants"],
        ["--without", "nobody"],
        ["--detach", "--demo"],
        ["--women", "0"],
    ],
)
def test_up_refuses_what_it_cannot_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.setattr(services, "names", lambda: ["gateway", "grants"])
    assert RUN.invoke(app, ["up", *options, "--data-dir", str(tmp_path)]).exit_code == 2


def test_a_plan_counts_replicas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "names", lambda: ["gateway", "grants"])
    plan = usage.plan(["grants=3"], [], throw_away=True)
    assert plan.instances() == [("gateway", 1), ("grants", 1), ("grants", 2), ("grants", 3)]
    with pytest.raises(typer.BadParameter):
        usage.plan(["grants=10"], [], throw_away=True)


def test_a_token_is_one_that_services_accept(tmp_path: Path) -> None:
    options = ["token", "--data-dir", str(tmp_path), "--role", "reviewer", "--role", "auditor"]
    done = RUN.invoke(app, [*options, "--subject", "ana"])
    assert done.exit_code == 0
    assert done.output.count(".") == 2
    assert RUN.invoke(app, [*options, "--refresh"]).output.count(".") == 2
    assert RUN.invoke(app, ["token", "--data-dir", str(tmp_path), "--role", "king"]).exit_code == 2
    assert RUN.invoke(app, [*options, "--subject", "Ana López"]).exit_code == 2


def test_keys_rotate(tmp_path: Path) -> None:
    assert RUN.invoke(app, ["keys", "rotate", "--data-dir", str(tmp_path)]).exit_code == 0
    assert len(list(Folders(tmp_path).keys.glob("*.pem"))) == 2


def test_a_service_is_told_where_the_others_are(tmp_path: Path) -> None:
    instances = (
        Instance("gateway", 1, 1),
        Instance("grants", 1, 2),
        Instance("grants", 2, 3),
    )
    folders = Folders(tmp_path)
    folders.make()
    around = Surroundings(folders, "127.0.0.1:9", "mongodb://127.0.0.1:8", instances)
    gateway = around.environment(instances[0])
    assert json.loads(gateway["GATEWAY_UPSTREAMS"]) == {
        "grants": ["http://127.0.0.1:2", "http://127.0.0.1:3"]
    }
    assert gateway["GATEWAY_ISSUER"] == str(folders.keys)
    assert around.environment(instances[2])["GRANTS_PORT"] == "3"
    assert around.program(instances[2]).name == "grants-2"
    around.write()
    assert folders.services_env.stat().st_mode & 0o077 == 0
    lines = folders.services_env.read_text().splitlines()
    assert "GRANTS_PORT='2'" in lines
    assert "GRANTS_PORT='3'" not in lines


@pytest.mark.parametrize(
    ("said", "advised"),
    [
        ("mongod: error while loading shared libraries: libcurl.so.4: cannot open", "libcurl4"),
        ("mongod: error while loading shared libraries: libssl.so.3: cannot open", "libssl3"),
        ("mongod: /lib/libc.so.6: version `GLIBC_2.34' not found", "Debian 12"),
        ("mongod: Illegal instruction", "Illegal instruction"),
    ],
)
def test_a_missing_library_is_one_line_of_advice(said: str, advised: str) -> None:
    assert advised in prerequisites.advice(said)
    assert "\n" not in prerequisites.advice(said)


def test_help_takes_less_than_half_a_second() -> None:
    """Of a core, so that a busy machine does not matter."""
    before = os.times()
    command = [sys.executable, "-P", "-m", "cli", "--help"]
    subprocess.run(command, capture_output=True, check=True)
    after = os.times()
    spent = after.children_user + after.children_system
    assert spent - before.children_user - before.children_system < 0.5
