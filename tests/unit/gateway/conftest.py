"""One gateway a test, or replicas of it."""

from datetime import timedelta
from pathlib import Path

import pytest

from services.gateway import compare, generations, rebuild, rebuilding
from shared.chassis.operations.orders import Rate
from tests.unit.gateway.behind import Gateway, fresh
from tests.unit.gateway.replicas import Place


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    return fresh(tmp_path, monkeypatch)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(generations, "GLANCE", 0.02)
    monkeypatch.setattr(generations, "LEAVE", 0.02)
    monkeypatch.setattr(generations, "GRACE", timedelta(seconds=0.3))
    monkeypatch.setattr(rebuild, "GLANCE", 0.01)
    monkeypatch.setattr(compare, "PAUSE", 0.01)
    monkeypatch.setattr(rebuilding, "_rate", Rate())
    return Place(tmp_path)
