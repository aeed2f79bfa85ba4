"""One gateway a test."""

from pathlib import Path

import pytest

from tests.unit.gateway.behind import Gateway, fresh


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    return fresh(tmp_path, monkeypatch)
