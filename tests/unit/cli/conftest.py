"""What the tests of `telar verify` share."""

from pathlib import Path

import pytest

from cli.operator import rebuild
from deploy.local import command
from tests.unit.cli.operator_api import Script, all_is_well


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Script:
    """An API at which everything holds; commands are told as if `telar` were on the path."""
    monkeypatch.setattr(rebuild, "_GLANCE", 0.0)
    monkeypatch.setattr(command, "program", lambda: "telar")
    script = Script(tmp_path)
    all_is_well(script)
    return script
